import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Config } from '../../../services/config/config.ts'
import { startDecontamination } from '../../../services/host/decontamination.ts'
import { readEvalSets } from '../../../services/host/eval-sets.ts'
import { runConfigJson } from '../../../topologies/run-config.ts'
import { cliOn } from '../../support/cli.ts'
import { memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

async function opened() {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-create-'))
  const runtime = await memoryRuntime()
  onTestFinished(async () => {
    await runtime.close()
    rmSync(folder, { recursive: true })
  })
  for (const name of ['reward', 'evaluation'])
    writeFileSync(join(folder, `${name}.jsonl`), `${JSON.stringify({ text: `a sample of ${name}` })}\n`)
  const config = { actors: [], corpus: { partitions: 1 } } as unknown as Config
  const winnow = cliOn(runtime, config, folder)
  const create = async (name: string, evalSets?: boolean, ...flags: string[]) => {
    const files = { reward: './reward.jsonl', evaluation: './evaluation.jsonl', corpus: './corpus.jsonl' }
    const run = JSON.parse(runConfigJson(parityRun(name)))
    writeFileSync(join(folder, 'run.yaml'), JSON.stringify({ ...run, reference: { ...files, evalSets } }))
    const { code, stderr } = await winnow('run', 'create', 'run.yaml', '--no-check', ...flags)
    expect(code, stderr).toBe(0)
    return stderr
  }
  const sets = async () => (await readEvalSets(runtime)).active.map(({ name }) => name)
  const startComparing = async () => {
    const station = await startDecontamination(runtime, (error) => {
      throw error
    })
    onTestFinished(() => station.close())
  }
  return { create, sets, startComparing }
}

test('samples of a run are evaluation sets where somebody compares documents, unless its file or a flag says otherwise', async () => {
  const { create, sets, startComparing } = await opened()
  await startComparing()
  await create('by-its-file', false)
  await create('by-a-flag', undefined, '--no-eval-sets')
  expect(await sets()).toEqual([])
  expect(await create('mine')).toContain('evaluation sets: run/mine/reward, run/mine/evaluation\n')
  expect(await sets()).toEqual(['run/mine/evaluation', 'run/mine/reward'])
})

test('where nobody compares documents they are none, which is said: no run waits for a station that nobody started', async () => {
  const { create, sets, startComparing } = await opened()
  expect(await create('mine')).toContain('no evaluation sets, since nobody compares documents with sets now')
  expect(await sets()).toEqual([])
  // A run that is recorded stays as it is, but for who asks.
  await startComparing()
  await create('mine')
  expect(await sets()).toEqual([])
  await create('mine', undefined, '--eval-sets')
  expect(await sets()).toEqual(['run/mine/evaluation', 'run/mine/reward'])
})
