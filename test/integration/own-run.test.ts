import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { parse } from 'yaml'
import { openRuntime } from '../../services/connections/connections.ts'
import { drawDocuments } from '../../services/corpus/draw.ts'
import { labelProgress } from '../../services/runs/label-progress.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { createLog } from '../../services/runtime/log.ts'
import type { Seed } from '../../topologies/selection/u64.ts'
import { startWinnow } from '../services/cli/winnow.ts'
import { cliOn } from '../support/cli.ts'
import { until } from '../support/kafka.ts'
import { openWorld } from './loop-world.ts'

test('your own run: the example that winnow writes works as it is', async () => {
  const world = await openWorld(90)
  const { runtime, config, folder, versions } = world
  const winnow = cliOn(runtime, config, folder)

  // An example, and a control, with no file but those the commands write.
  const written = await winnow('init', '--run', '--name', 'mine')
  expect(written).toMatchObject({ code: 0, stdout: `${join(folder, 'run.yaml')}\n` })
  expect(await winnow('init', '--run')).toMatchObject({ code: 3 })
  expect((await winnow('init', '--run', '--control', '--name', 'control', '--out', 'control.yaml')).code).toBe(0)
  const printed = await winnow('run', 'create', '--example')
  expect(parse(printed.stdout)).toMatchObject({
    name: 'first',
    labelers: versions,
    selection: { budget: { documents: 22 } },
  })

  for (const [file, name] of [
    ['run.yaml', 'mine'],
    ['control.yaml', 'control'],
  ] as const)
    expect(await winnow('run', 'create', file)).toMatchObject({ code: 0, stdout: `${name}\n` })
  writeFileSync(join(folder, 'example.yaml'), printed.stdout)
  expect(await winnow('run', 'create', 'example.yaml')).toMatchObject({ code: 0, stdout: 'first\n' })

  // What is wrong is told in a sentence each, and nothing is recorded.
  const run = parse(readFileSync(join(folder, 'run.yaml'), 'utf8'))
  const [actor] = config.actors.map(({ name }) => name) as [string]
  const known = (await runtime.store.texts([...(await drawDocuments(runtime.clickHouse.sql, 1n as Seed, 1))])).values()
  writeFileSync(join(folder, 'leak.jsonl'), `${JSON.stringify({ text: [...known][0] })}\n`)
  const wrong = async (more: object) => {
    writeFileSync(join(folder, 'wrong.yaml'), JSON.stringify({ ...run, name: 'wrong', ...more }))
    const { code, stderr } = await winnow('run', 'create', 'wrong.yaml')
    expect(code).toBe(3)
    return stderr
  }
  expect(await wrong({ model: './graphs' })).toContain(`The model in ${join(folder, 'graphs')} cannot be used`)
  expect(await wrong({ labelers: { ...versions, [actor]: 'x1' } })).toContain(
    `- no labels of ${actor} version x1; the corpus has ${versions[actor]} (90).`,
  )
  expect(await wrong({ reference: { ...run.reference, evaluation: run.reference.reward } })).toContain(
    'are the same file',
  )
  expect(await wrong({ reference: { ...run.reference, corpus: './leak.jsonl' } })).toContain(
    'are documents of the corpus',
  )
  expect(await wrong({ selection: { ...run.selection, budget: { documents: 91 } } })).toContain('more than the 90 that')
  expect(await wrong({ selection: { ...run.selection, budget: { tokens: 1e9 } } })).toContain('tokens is more than the')
  const pool = { pool: [{ tokensMin: 100_000 }] }
  expect(await wrong({ selection: { ...run.selection, strategy: pool } })).toContain(
    'round 0 would select none of the 90',
  )
  expect((await winnow('run', 'list')).stdout).not.toContain('wrong')
  expect(await winnow('run', 'create', 'wrong.yaml', '--no-check')).toMatchObject({ code: 0, stdout: 'wrong\n' })

  // What was never started disturbs nobody.
  const states = async () => {
    const runs = JSON.parse((await winnow('status', '--json')).stdout).runs as { run: string; state: string }[]
    return Object.fromEntries(runs.map(({ run: name, state }) => [name, state]))
  }
  expect(await states()).toEqual({ mine: 'recorded', control: 'recorded', first: 'recorded', wrong: 'recorded' })
  expect((await winnow('top', '--once')).stdout).toContain('mine waits for a start: winnow run start mine')
  expect((await winnow('run', 'delete', 'wrong')).code).toBe(0)

  // A run from its start to its last step in one process, and its control.
  const short = { updateSteps: 2, steps: 6, sampleDocuments: 2, trainer: { batch: 2, context: 24, reportSteps: 1 } }
  for (const name of ['mine', 'control']) {
    expect((await winnow('run', 'delete', name)).code).toBe(0)
    const { trainer: _, ...given } = parse(
      readFileSync(join(folder, name === 'mine' ? 'run.yaml' : 'control.yaml'), 'utf8'),
    )
    const sampleDocuments = name === 'mine' ? 2 : 0
    writeFileSync(join(folder, 'short.yaml'), JSON.stringify({ ...given, ...short, sampleDocuments }))
    expect(await winnow('run', 'create', 'short.yaml')).toMatchObject({ code: 0 })
    const { code, stderr } = await winnow('run', 'start', name)
    expect(stderr).toContain(`run ${name} is done`)
    expect(stderr).toMatch(/round 2 selected 22 documents/)
    expect(stderr).toMatch(/step +6\/6 +training/)
    expect(code).toBe(0)
  }
  const listed = (await winnow('run', 'list')).stdout
  expect(listed).toMatch(/control +control +done +6\/6 +2/)
  expect(listed).toMatch(/mine +run +done +6\/6 +2/)
  expect((await winnow('compare', 'mine', 'control')).code).toBe(0)
  const shown = JSON.parse((await winnow('run', 'show', 'mine', '--json')).stdout)
  expect(shown).toMatchObject({ run: 'mine', kind: 'run', state: 'done', config: { labelers: versions, steps: 6 } })
  const keys = JSON.parse((await winnow('run', 'show', 'mine', '--diff', 'control', '--json')).stdout) as {
    key: string
  }[]
  expect(keys.map(({ key }) => key)).toEqual([
    ...config.actors.map(({ name }) => `selection.actors.${name}.initialTheta`),
    'sampleDocuments',
  ])

  // Its end and its removal; what is deleted is gone, and the name is free.
  expect(await winnow('run', 'pause', 'first')).toMatchObject({ code: 0, stdout: 'first paused\n' })
  expect((await states()).first).toBe('paused')
  expect(await winnow('run', 'delete', 'first')).toMatchObject({ code: 3 })
  expect((await winnow('run', 'end', 'first')).code).toBe(0)
  expect(await winnow('run', 'start', 'first')).toMatchObject({ code: 3 })
  expect((await winnow('run', 'archive', 'control')).code).toBe(0)
  expect((await winnow('run', 'delete', 'mine')).code).toBe(0)
  expect((await runtime.kafka.topicNames()).filter((name) => name.startsWith('winnow.run.mine.'))).toEqual([])
  expect(await states()).toEqual({ first: 'ended' })
  expect((await winnow('run', 'list', '--all')).stdout).toMatch(/control +control +archived/)
  const misspelt = await winnow('run', 'show', 'frist')
  expect(misspelt).toMatchObject({ code: 3, stderr: expect.stringContaining('Did you mean first?') })

  const corpus = JSON.parse((await winnow('labeler', 'versions', '--corpus', '--json')).stdout)
  expect(corpus).toEqual(
    config.actors.map(({ name }) => ({ actor: name, version: versions[name], inForce: true, documents: 90 })),
  )
})

const env = () => ({
  WINNOW_BROKERS: inject('brokers').join(','),
  WINNOW_REGISTRY_URL: inject('registryUrl'),
  WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
})

test('one command serves labelers, sink, board and a run on your own cluster until SIGTERM', async () => {
  const world = await openWorld(30)
  const { runtime, config, folder, database, versions } = world
  const run = world.run('served', { budget: { documents: 10 } })
  await submitRun(runtime, run)
  await world.stopCorpus()
  const file = join(folder, 'own.yaml')
  const { actors } = parse(readFileSync(config.file!, 'utf8'))
  writeFileSync(file, JSON.stringify({ corpus: { partitions: 3 }, actors, clickhouse: { database } }))
  const { child, said, ended } = startWinnow(['up', '--config', file, '--run', run.name, '--json'], env(), folder)
  await said('everything runs')
  await said(`run ${run.name} is done`)
  // It labels as well.
  await world.ingest(600, 30)
  const labels = new Map(Object.entries(versions))
  await until(async () => (await labelProgress(runtime, labels)).complete === 60)
  child.kill('SIGTERM')
  const { code, stdout, stderr } = await ended
  expect(code).toBe(0)
  const { boardUrl } = JSON.parse(stdout)
  expect(stderr).toContain(`board: ${boardUrl}`)
  for (const [actor, version] of labels) expect(stderr).toContain(`labeler ${actor} (version ${version})`)
  expect((await cliOn(runtime, config, folder)('up')).code).toBe(3)
})

test('a configured database that does not exist is created', async () => {
  const addresses = {
    brokers: inject('brokers'),
    registryUrl: inject('registryUrl'),
    clickhouseUrl: inject('clickhouseUrl'),
  }
  const database = `fresh_${randomUUID().slice(0, 8)}`
  for (let time = 0; time < 2; time++) {
    const runtime = await openRuntime({ ...addresses, database }, createLog('test', 'silent'))
    const [row] = await runtime.clickHouse.sql.query<{ name: string }>('SELECT currentDatabase() AS name')
    expect(row).toEqual({ name: database })
    await runtime.close()
  }
})
