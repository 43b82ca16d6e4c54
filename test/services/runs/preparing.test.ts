import { expect, test } from 'vitest'
import { withPreparing } from '../../../services/runs/preparing.ts'
import type { Preparing } from '../../../topologies/corpus-store.ts'
import { MemoryStore } from '../../../topologies/memory-store.ts'
import { memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

const run = parityRun('mine')
const told = async (preparing: () => Promise<Preparing | undefined>, state: 'sampling' | 'training' = 'sampling') => {
  const runtime = await memoryRuntime(Object.assign(new MemoryStore(), { preparing }))
  return (await withPreparing(runtime, run, { state, waitsFor: 'the console' })).waitsFor
}

test('what is left of the corpus to be sorted is what a run waits for before it draws, and at no other time', async () => {
  const half = async () => ({ done: 6_000_000, total: 12_000_001 })
  expect(await told(half)).toBe('the corpus to be sorted for draws by parity v1: 49% of 12000001 rows')
  expect(await told(half, 'training')).toBe('the console')
  expect(await told(async () => undefined)).toBe('the console')
  // Steps are counted in full: the last one may be shorter.
  expect(await told(async () => ({ done: 16, total: 12 }))).toContain('100% of 12 rows')
})

test('a store that does not answer hides nothing of what the log says', async () => {
  expect(await told(() => Promise.reject(new Error('away')))).toBe('the console')
})
