import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { type AcceptedRewards, RoundLedger, type Verdict } from '../../../topologies/rounds/ledger.ts'
import { opened, reward } from './records.ts'

const accepted = (ledger: RoundLedger, offsets: readonly number[], actors = ['a', 'b']): AcceptedRewards[] =>
  ledger.accepted(
    actors,
    offsets.map((offsetNext, partition) => ({ topic: 'rewards', partition, offsetNext })),
  )

/** Actor a asks for 9, 3 (subcategory 0) and 5 (subcategory 1), actor b for 3. */
const samples = [
  { actor: 'a', subcategory: 0, docIds: [9n, 3n].map(asDocumentId) },
  { actor: 'b', subcategory: 2, docIds: [3n].map(asDocumentId) },
  { actor: 'a', subcategory: 1, docIds: [5n].map(asDocumentId) },
]

const identity = { rewardTransform: { kind: 'identity' } } as const

describe('the ledger of a round', () => {
  test('counts missing rewards, and returns documents in ascending order, actors in the order of the request', () => {
    const ledger = new RoundLedger(opened(1, samples), identity)
    expect([ledger.requested, ledger.missing]).toEqual([4, 4])
    ledger.accept(reward(1, 'a', 9n, 0.9), 0, 0)
    ledger.accept(reward(1, 'b', 3n, 0.33), 0, 1)
    ledger.accept(reward(1, 'a', 3n, 0.3), 0, 2)
    expect(ledger.missing).toBe(1)
    expect(accepted(ledger, [3], ['b', 'a', 'c'])).toEqual([
      { actor: 'b', docIds: [3n], subcategories: [2], rewards: [0.33] },
      { actor: 'a', docIds: [3n, 9n], subcategories: [0, 0], rewards: [0.3, 0.9] },
      { actor: 'c', docIds: [], subcategories: [], rewards: [] },
    ])
  })

  test('documents are ordered as 64-bit numbers, not as text', () => {
    const docIds = [2n ** 64n - 1n, 10n, 9n]
    const ledger = new RoundLedger(
      opened(1, [{ actor: 'a', subcategory: 0, docIds: docIds.map(asDocumentId) }]),
      identity,
    )
    for (const [i, docId] of docIds.entries()) ledger.accept(reward(1, 'a', docId, i), 0, i)
    expect(accepted(ledger, [3], ['a'])[0]!.docIds).toEqual([9n, 10n, 2n ** 64n - 1n])
  })

  test('of several rewards for the same request the one at the lowest offset counts, whichever is read first', () => {
    const ledger = new RoundLedger(opened(1, samples), identity)
    const verdicts = [
      ledger.accept(reward(1, 'a', 5n, 0.7), 1, 7),
      ledger.accept(reward(1, 'a', 5n, 0.8), 1, 8),
      ledger.accept(reward(1, 'a', 5n, 0.2), 1, 2),
      ledger.accept(reward(1, 'a', 5n, 0.2), 1, 2),
      ledger.accept(reward(1, 'a', 5n, 0.7), 1, 7),
    ]
    expect(verdicts).toEqual(['accepted', 'duplicate', 'accepted', 'duplicate', 'duplicate'] satisfies Verdict[])
    expect(ledger.missing).toBe(3)
    expect(accepted(ledger, [0, 9])[0]!.rewards).toEqual([0.2])
  })

  test.each<[string, Verdict, object]>([
    ['for another round', 'unknown-round', { round: 2 }],
    ['for another run', 'unknown-round', { run: 'other' }],
    ['for an actor without samples', 'unknown-actor', { actor: 'c' }],
    ['for a document that only another actor asked for', 'unknown-document', { actor: 'b', docId: 9n }],
    ['that is NaN', 'not-finite', { reward: Number.NaN }],
    ['that is infinite', 'not-finite', { reward: Number.NEGATIVE_INFINITY }],
    ['of another checkpoint', 'wrong-checkpoint', { checkpointDigest: 'step 3' }],
  ])('a reward %s is refused and answers nothing', (_, verdict, changed) => {
    const ledger = new RoundLedger(opened(1, samples), identity)
    expect(ledger.accept({ ...reward(1, 'a', 9n, 1), ...changed }, 0, 0)).toBe(verdict)
    expect(ledger.missing).toBe(4)
    expect(accepted(ledger, [9]).map(({ docIds }) => docIds)).toEqual([[], []])
  })

  test('a reward that exp(scale * r) makes infinite is refused, one just below it is not', () => {
    const ledger = new RoundLedger(opened(1, samples), { rewardTransform: { kind: 'exp', scale: 0.5 } })
    // The largest x whose exp is finite is 709.782712893384.
    expect(ledger.accept(reward(1, 'a', 9n, 1419.6), 0, 0)).toBe('not-finite')
    expect(ledger.accept(reward(1, 'a', 9n, 1419.5), 0, 1)).toBe('accepted')
    expect(ledger.accept(reward(1, 'a', 3n, -1e300), 0, 2)).toBe('accepted')
  })

  test('of a reward counts what a growth of the loss on other text beyond the bound leaves; without a reward on other text it is refused', () => {
    const ledger = new RoundLedger(opened(1, samples), { ...identity, price: { weight: 2, bound: 0.25 } })
    const answer = (docId: bigint, taskRewards: number[] | null) => ({ ...reward(1, 'a', docId, 0.5), taskRewards })
    expect(ledger.accept(answer(9n, null), 0, 0)).toBe('unpriced')
    expect(ledger.accept(answer(9n, [0.5, Number.NaN]), 0, 1)).toBe('unpriced')
    expect(ledger.missing).toBe(4)
    expect(ledger.accept(answer(9n, [0.5, -1]), 0, 2)).toBe('accepted')
    expect(ledger.accept(answer(3n, [0.5, -0.25]), 0, 3)).toBe('accepted')
    expect(ledger.accept(answer(5n, [0.5, 8]), 0, 4)).toBe('accepted')
    expect(accepted(ledger, [5], ['a'])[0]).toMatchObject({ docIds: [3n, 5n, 9n], rewards: [0.5, 0.5, -1] })
  })

  test('rewards at or after the limit of their partition are late and do not count', () => {
    const ledger = new RoundLedger(opened(1, samples), identity)
    ledger.accept(reward(1, 'a', 9n, 0.9), 0, 4)
    ledger.accept(reward(1, 'a', 3n, 0.3), 1, 4)
    ledger.accept(reward(1, 'a', 5n, 0.5), 2, 0)
    expect(accepted(ledger, [4, 5], ['a'])[0]).toMatchObject({ docIds: [3n], rewards: [0.3] })
  })
})
