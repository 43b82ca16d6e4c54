import { expect, test } from 'vitest'
import { packBatches } from '../../../services/trainer/packer.ts'
import { settle } from '../../../topologies/exposure/account.ts'

/** Documents of these lengths, packed as the reference trainer does, and what it has then read: by its `documentsRead` or `documentsPassed`. */
async function trainedOn(lengths: readonly number[], batches: number, count: 'documentsRead' | 'documentsPassed') {
  const [batch, context] = [2, 5]
  async function* again() {
    for (;;) for (const length of lengths) yield new Uint32Array(length).fill(7)
  }
  let taken = 0
  let passed = 0
  for await (const packed of packBatches(again(), { batch, context })) {
    taken++
    passed = packed[count]
    if (taken === batches) break
  }
  return { passed, trained: batches * batch * context }
}

const lengthsOf = (seed: number) => Array.from({ length: 1 + (seed % 7) }, (_, i) => (seed * 31 + i * 17) % 13)

test.each(['documentsRead', 'documentsPassed'] as const)(
  'tokens add up to what was trained on, to the token, for trainers that report %s',
  async (count) => {
    for (let seed = 0; seed < 60; seed++) {
      const lengths = lengthsOf(seed)
      const n = lengths.length
      const { passed, trained } = await trainedOn(lengths, 1 + (seed % 9), count)
      let tokens = 0
      for (let i = 0; i < passed; i++) tokens += lengths[i % n]! + 1
      const edge = (index: number) => ({ index, tokens: lengths[index]! })
      const corrections = settle({
        ...{ passed: tokens, trained, first: edge(0), next: edge(passed % n) },
        last: passed === 0 ? null : edge((passed - 1) % n),
      })
      const sum = tokens + corrections!.reduce((total, one) => total + one.tokens, 0)
      expect([seed, sum]).toEqual([seed, trained])
    }
  },
)

test('what does not add up is not made to: ingest counted by other means', () => {
  const first = { index: 0, tokens: 10 }
  const last = { index: 3, tokens: 10 }
  const next = { index: 4, tokens: 10 }
  expect(settle({ passed: 44, trained: 43, first, last, next })).toEqual([{ index: 0, tokens: -1 }])
  expect(settle({ passed: 44, trained: 33, first, last, next })).toEqual([
    { index: 0, tokens: -1 },
    { index: 3, tokens: -10 },
  ])
  expect(settle({ passed: 44, trained: 32, first, last, next })).toBeUndefined()
  expect(settle({ passed: 44, trained: 53, first, last, next })).toEqual([
    { index: 0, tokens: -1 },
    { index: 4, tokens: 10 },
  ])
  expect(settle({ passed: 44, trained: 54, first, last, next })).toBeUndefined()
  expect(settle({ passed: 0, trained: 0, first: null, last: null, next: null })).toEqual([])
  expect(settle({ passed: 0, trained: 8, first: null, last: null, next: null })).toBeUndefined()
})
