import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DocumentSet } from '../../../services/simulate/document-set.ts'
import { RewardSpill } from '../../../services/simulate/reward-spill.ts'

describe('a set of documents', () => {
  test('knows its members, both as a hash table and as a bitmap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.array(fc.nat(), { maxLength: 3000, size: 'max' }),
        (documents, numbers) => {
          const set = new DocumentSet(documents)
          const expected = new Set<number>()
          for (const number of numbers) {
            const document = number % documents
            expect(set.add(document)).toBe(!expected.has(document))
            expected.add(document)
          }
        },
      ),
      { numRuns: 30 },
    )
  })
})

describe('the spill of rewards', () => {
  test('returns every reward of a round in order, across many writes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'winnow-spill-'))
    const spill = new RewardSpill(join(folder, 'rewards.bin'))
    // More than the 64 MiB that may wait in memory: 5,000 rounds of up to 64 KiB each.
    const rounds = 5000
    for (const round of Array.from({ length: rounds }, (_, i) => rounds - i)) spill.open(round)
    const rewardOf = (round: number, i: number) => (i + 1) / round
    for (let i = 0; i < 300; i++)
      for (let round = 1; round <= rounds; round++) spill.add(round, i % 3, 4_000_000_000 - i, rewardOf(round, i))
    for (let i = 300; i < 10_000; i++) spill.add(7, i % 3, i, rewardOf(7, i))
    expect(spill.rounds.slice(0, 3)).toEqual([1, 2, 3])
    for (const round of [1, 7, 2500, rounds]) {
      const count = round === 7 ? 10_000 : 300
      let i = 0
      spill.read(round, (actor, document, reward) => {
        if (actor !== i % 3 || document !== (i < 300 ? 4_000_000_000 - i : i) || reward !== rewardOf(round, i)) {
          throw new Error(`round ${round}, reward ${i}: ${actor} ${document} ${reward}`)
        }
        i += 1
      })
      expect(i).toBe(count)
      expect(spill.count(round, 0)).toBe(Math.ceil(count / 3))
    }
    spill.read(rounds + 1, () => expect.unreachable())
    spill.close()
    rmSync(folder, { recursive: true })
  })
})
