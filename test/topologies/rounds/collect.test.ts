import fc from 'fast-check'
import { from, lastValueFrom, toArray } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { asDocumentId, type TopicOffset } from '../../../schemas/index.ts'
import type { Delivered } from '../../../topologies/node.ts'
import { collectRounds } from '../../../topologies/rounds/collect.ts'
import { answer, closed, decision, opened, reward } from './records.ts'

/** What comes out, as the round and the rewards that count in it. */
async function collected(records: readonly Delivered[], roundDone?: number, positions?: readonly TopicOffset[]) {
  const rounds = await lastValueFrom(
    from(records).pipe(collectRounds({ rewardTransform: { kind: 'identity' } }, roundDone, positions), toArray()),
  )
  return rounds.map(({ opened: { round }, closed: { rewardOffsets }, ledger, inputOffsets }) => {
    expect(inputOffsets).toEqual(rewardOffsets)
    return [round, ...ledger.accepted(['a'], rewardOffsets)[0]!.rewards]
  })
}

const sample = (docIds: bigint[]) => [{ actor: 'a', subcategory: 0, docIds: docIds.map(asDocumentId) }]
const zero = [decision(opened(0)), decision(closed(0, []))]
/** Partition 0: rewards of documents 1 and 3, partition 1: of document 2. Then a second round in partition 0. */
const one = {
  opened: decision(opened(1, sample([1n, 2n, 3n]))),
  closed: decision(closed(1, [2, 1])),
  rewards: [
    answer(reward(1, 'a', 1n, 0.1), 0, 0),
    answer(reward(1, 'a', 3n, 0.3), 0, 1),
    answer(reward(1, 'a', 2n, 0.2), 1, 0),
  ],
}
const two = {
  opened: decision(opened(2, sample([4n]))),
  closed: decision(closed(2, [3, 1])),
  rewards: [answer(reward(2, 'a', 4n, 0.4), 0, 2)],
}
const expected = [[0], [1, 0.1, 0.2, 0.3], [2, 0.4]]

describe('collecting rounds', () => {
  test('a round without samples is complete as soon as it is closed', async () => {
    expect(await collected(zero)).toEqual([[0]])
    expect(await collected(zero.slice(0, 1))).toEqual([])
  })

  test('a closed round waits for the rewards that its closing counts', async () => {
    const before = [...zero, one.opened, one.closed, one.rewards[0]!, one.rewards[2]!]
    expect(await collected(before)).toEqual([[0]])
    expect(await collected([...before, one.rewards[1]!])).toEqual(expected.slice(0, 2))
  })

  test('a closing that arrives before its opening waits for it', async () => {
    expect(await collected([...one.rewards, one.closed])).toEqual([])
    expect(await collected([...one.rewards, one.closed, one.opened])).toEqual([expected[1]])
  })

  test('a later round does not overtake one that is still waiting', async () => {
    const later = [two.opened, two.closed, ...two.rewards]
    // Everything of round 2 is there, and partition 0 has been read past both, but a reward in partition 1 is not.
    const some = [one.opened, one.closed, one.rewards[0]!, one.rewards[1]!, ...later]
    expect(await collected(some)).toEqual([])
    expect(await collected([...some, one.rewards[2]!])).toEqual(expected.slice(1))
  })

  test('what arrives after its round’s closing has no effect', async () => {
    const late = [answer(reward(1, 'a', 1n, 9), 0, 3), answer(reward(1, 'a', 2n, 9), 1, 1)]
    expect(await collected([...zero, one.opened, ...one.rewards, ...late, one.closed])).toEqual(expected.slice(0, 2))
    expect(await collected([...zero, one.opened, ...one.rewards, one.closed, ...late])).toEqual(expected.slice(0, 2))
  })

  test('a restart continues after the round in its state, from the positions in its state', async () => {
    const positions = [
      { topic: 'rewards', partition: 0, offsetNext: 2 },
      { topic: 'rewards', partition: 1, offsetNext: 1 },
    ]
    // The decisions are read again from the start; the rewards of round 1 are not, and partition 1 has nothing more.
    const decisions = [...zero, one.opened, one.closed, two.opened, two.closed]
    expect(await collected([...decisions, ...two.rewards], 1, positions)).toEqual([expected[2]])
    expect(await collected([...decisions, ...two.rewards], 1)).toEqual([])
  })

  test('rounds complete in order, each once and with the same rewards, whatever the interleaving and repeats', async () => {
    const decisions = [...zero, one.opened, one.closed, two.opened, two.closed]
    const partitions = [
      decisions,
      [one.rewards[0]!, one.rewards[1]!, two.rewards[0]!],
      [one.rewards[2]!, answer(reward(7, 'a', 1n, 7), 1, 1)],
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 2 }), { maxLength: 40 }),
        fc.nat({ max: 9 }),
        async (order, repeatFrom) => {
          const next = [0, 0, 0]
          const records: Delivered[] = []
          for (const partition of order) {
            const record = partitions[partition]![next[partition]!]
            // Redelivery: one partition starts again now and then.
            if (record === undefined) next[partition] = Math.min(repeatFrom, partitions[partition]!.length - 1)
            else {
              records.push(record)
              next[partition]! += 1
            }
          }
          expect(await collected([...records, ...partitions.flat()])).toEqual(expected)
        },
      ),
    )
  })
})
