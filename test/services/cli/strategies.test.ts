import { expect, test } from 'vitest'
import type { Config } from '../../../services/config/config.ts'
import { MemoryStore } from '../../../topologies/memory-store.ts'
import { cliOn } from '../../support/cli.ts'
import { fillByParity, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'

test('strategies lists every preset, and prints one as run.yaml takes it', async () => {
  const winnow = cliOn(await memoryRuntime(), undefined as unknown as Config, '.')
  const list = await winnow('strategies')
  expect(list.code).toBe(0)
  expect(list.stdout).toMatch(/qurating-edu\s+educational, domain/)
  const shown = await winnow('strategies', 'show', 'fineweb-edu', '--json')
  expect(JSON.parse(shown.stdout).parts).toEqual({
    pool: [{ actor: 'quality', scoreAbove: 2.5 }],
    score: { kind: 'zero' },
    sampler: { kind: 'top' },
  })
  const unknown = await winnow('strategies', 'show', 'fineweb')
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('fineweb-edu')
})

test('paper-code is shown with the key that belongs to it and what the four parts do not say; a run by it is replayed to the bit', async () => {
  const store = new MemoryStore()
  const runtime = await memoryRuntime(store)
  const winnow = cliOn(runtime, undefined as unknown as Config, '.')
  const shown = (await winnow('strategies', 'show', 'paper-code')).stdout
  expect(shown).toContain('In run.yaml:\n\nselection:\n  strategy: paper-code\n  repetitionDecay: 0.1\n')
  expect(shown).not.toContain('sampleDocuments: 0')
  expect(shown).toContain('The four parts do not say')

  await fillByParity(store, 60, undefined)
  const run = parityRun('mine', { strategy: 'paper-code', repetitionDecay: 0.1 })
  const manifests = await recordRun(runtime, run, (text) => (text.length % 7) / 10)
  expect(manifests[0]!.weights).toEqual([[10, 10]])
  // The code's weights sum to 1 after every round, the paper's do not.
  for (const { weights } of manifests.slice(1)) expect(weights[0]![0]! + weights[0]![1]!).toBeCloseTo(1, 15)
  expect(await winnow('replay', '--run', 'mine')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`${manifests.length} rounds of mine and mine-replay-1 are the same to the bit`),
  })
  await runtime.close()
})
