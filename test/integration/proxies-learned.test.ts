import { readFileSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { parse } from 'yaml'
import type { ProxyResult } from '../../schemas/index.ts'
import { readTopic } from '../../services/runs/recorded.ts'
import { startWinnow } from '../services/cli/winnow.ts'
import { cliOn } from '../support/cli.ts'
import { blocksFor } from '../support/documents.ts'
import { until } from '../support/kafka.ts'
import { replacing } from '../support/shell.ts'
import { openWorld } from './loop-world.ts'

test('DoReMi, killed in each of its stages, ends as when left alone, and runs begin with its weights or have its mixture', async () => {
  const world = await openWorld(90)
  const { runtime, config, folder, database } = world
  const winnow = cliOn(runtime, config, folder)
  const [kind] = config.actors.map(({ name }) => name) as [string]
  await winnow('init', '--run', '--name', 'mine')
  const written = parse(readFileSync(join(folder, 'run.yaml'), 'utf8'))
  const run = { ...written, trainer: { batch: 4, context: 24, learningRate: 5e-3, warmupSteps: 2 } }
  writeFileSync(join(folder, 'run.yaml'), JSON.stringify(run))
  const planning = ['proxies', 'plan', 'run.yaml', '--actor', kind, '--method', 'doremi', '--steps', '12'] as const
  expect(await winnow(...planning, '--name', 'killed')).toMatchObject({ code: 0, stdout: 'killed\n' })

  // A process killed in the reference model's training, and one in the proxy's; a third one ends it.
  const file = join(folder, 'own.yaml')
  const { actors } = parse(readFileSync(config.file!, 'utf8'))
  writeFileSync(file, JSON.stringify({ corpus: { partitions: 3 }, actors, clickhouse: { database } }))
  const env = {
    WINNOW_BROKERS: inject('brokers').join(','),
    WINNOW_REGISTRY_URL: inject('registryUrl'),
    WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
  }
  for (const stage of ['reference', 'proxy']) {
    const { child, ended } = startWinnow(['proxies', 'run', 'killed', '--config', file], env, folder)
    const checkpoints = join(folder, run.checkpoints, `killed-${stage}`)
    await until(async () => (await readdir(checkpoints).catch(() => [])).some((name) => name.startsWith('step-')))
    child.kill('SIGKILL')
    await ended
  }
  expect(await winnow('proxies', 'run', 'killed')).toMatchObject({ code: 0 })

  // As docs/proxies.md has it, on a smaller scale.
  const documented = blocksFor('integration/proxies-learned').flatMap(({ text }) => text.trim().split('\n'))
  for (const line of documented) {
    const command = replacing(
      line,
      line.includes('--actor') ? [['--actor domain --method doremi --steps 200', planning.slice(3).join(' ')]] : [],
    )
    expect(await winnow(...command.replace('npx winnow ', '').split(' ')), command).toMatchObject({ code: 0 })
  }
  expect(documented).toHaveLength(4)
  const resultOf = async (campaign: string) => {
    const records = await readTopic(runtime, `winnow.campaign.${campaign}`)
    const { shares, loss, corpusLoss, learned } = records.find(({ record }) => record === 'ProxyResult')!
      .value as ProxyResult
    return { shares, loss, corpusLoss, learned }
  }
  const alone = await resultOf('first-doremi')
  expect(await resultOf('killed')).toEqual(alone)
  expect(alone.shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12)
  expect(alone.learned).toMatchObject({ updates: 12 })

  // A run with these weights, and with this mixture, has the numbers.
  const given = parse(readFileSync(join(folder, 'run.yaml'), 'utf8'))
  expect(given.selection.actors[kind].initialWeights).toEqual({ from: 'first-doremi' })
  given.selection.strategy = { score: { kind: 'zero' }, mixture: { from: 'first-doremi' } }
  writeFileSync(join(folder, 'mixed.yaml'), JSON.stringify(given))
  const created = await winnow('run', 'create', 'mixed.yaml', '--json')
  expect(created.code).toBe(0)
  const { selection, mixedBy, initializedBy } = JSON.parse(created.stdout)
  expect(selection.strategy.mixture).toEqual({ actor: kind, weights: alone.shares })
  expect(initializedBy).toEqual({ [kind]: mixedBy })
})
