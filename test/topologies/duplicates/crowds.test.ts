import { expect, test } from 'vitest'
import { asDocumentId, type DocumentId } from '../../../schemas/index.ts'
import { crowdRanks } from '../../../topologies/duplicates/crowds.ts'
import { Seeded } from '../../support/seeded.ts'

type Sketch = readonly [DocumentId, readonly number[]]

const seeds = 200

/** Sketches over few keys, so that there are chains and crowds of all sizes; some have no key, some the same twice. Ids reach over all 64 bits. */
function sketchesOf(random: Seeded): Sketch[] {
  const count = random.below(60)
  const keys = 1 + random.below(80)
  const ids = new Set(
    Array.from({ length: count }, () => asDocumentId((BigInt(random.below(2 ** 24)) << 40n) + BigInt(random.below(9)))),
  )
  return [...ids].map((id): Sketch => [id, Array.from({ length: random.below(5) }, () => random.below(keys))])
}

const shuffled = <T>(random: Seeded, all: readonly T[]): T[] =>
  all
    .map((one) => [random.next(), one] as const)
    .sort(([a], [b]) => a - b)
    .map(([, one]) => one)

test('a rank is the number of smaller ids in the fullest crowd, whatever order documents come in', () => {
  let ranked = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const random = new Seeded(seed)
    const sketches = sketchesOf(random)
    const expected = sketches.map(([id, keys]) => {
      const smaller = keys.map((key) => sketches.filter(([other, others]) => other < id && others.includes(key)).length)
      return [id, Math.max(0, ...smaller)] as const
    })
    const ranks = crowdRanks(shuffled(random, sketches))
    expect([seed, sketches.map(([id]) => [id, ranks.get(id) ?? 0])]).toEqual([seed, expected])
    ranked += ranks.size
  }
  expect(ranked).toBeGreaterThan(seeds)
})

test('of the documents below k no key is there more than k times, and one that is not below k shares a key with k smaller ones', () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const sketches = sketchesOf(new Seeded(seed))
    const ranks = crowdRanks(sketches)
    for (const atMost of [1, 2, 5]) {
      const kept = sketches.filter(([id]) => (ranks.get(id) ?? 0) < atMost)
      const times = new Map<number, number>()
      for (const key of kept.flatMap(([, keys]) => [...new Set(keys)])) times.set(key, (times.get(key) ?? 0) + 1)
      expect(Math.max(0, ...times.values())).toBeLessThanOrEqual(atMost)
      for (const [id, keys] of sketches) {
        if (kept.some(([one]) => one === id)) continue
        const smaller = (key: number) => sketches.filter(([other, others]) => other < id && others.includes(key))
        expect(keys.some((key) => smaller(key).length >= atMost)).toBe(true)
      }
      // No crowd is lost as a whole: the smallest of all that hang together is kept.
      expect(kept.length > 0 || sketches.length === 0).toBe(true)
    }
  }
})

test('documents that come later change no rank but those of larger ids that they share a key with', () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const random = new Seeded(seed)
    const sketches = sketchesOf(random)
    const before = sketches.filter(() => random.chance(0.5))
    const [early, late] = [crowdRanks(before), crowdRanks(sketches)]
    const came = sketches.filter((one) => !before.includes(one))
    for (const [id, keys] of before) {
      const touched = came.some(([other, others]) => other < id && others.some((key) => keys.includes(key)))
      expect(late.get(id) ?? 0).toBeGreaterThanOrEqual(early.get(id) ?? 0)
      if (!touched) expect(late.get(id)).toBe(early.get(id))
    }
  }
})
