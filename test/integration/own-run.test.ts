import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { drawDocuments } from '../../services/corpus/passages.ts'
import { cliOn } from '../support/cli.ts'
import { openWorld } from './loop-world.ts'

test('a run of one’s own: an example that is written works as it is', async () => {
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
  const known = (await runtime.store.texts([...(await drawDocuments(runtime.clickHouse.sql, 1, 1))])).values()
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

  const corpus = JSON.parse((await winnow('labeler', 'versions', '--corpus', '--json')).stdout)
  expect(corpus).toEqual(
    config.actors.map(({ name }) => ({ actor: name, version: versions[name], inForce: true, documents: 90 })),
  )
})
