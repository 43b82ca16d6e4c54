import type { Reward, RoundClosed, RoundOpened } from '../../../schemas/index.ts'
import { asDocumentId } from '../../../schemas/index.ts'
import type { Delivered } from '../../../topologies/node.ts'

const run = 'r'
const checkpointOf = (round: number) => (round === 0 ? null : `checkpoint ${round}`)

type Sample = RoundOpened['samples'][number]
type Asked = Omit<Sample, 'labels' | 'held'> & Partial<Sample>

export function opened(round: number, samples: readonly Asked[] = []): RoundOpened {
  return {
    run,
    round,
    step: round * 10,
    checkpointPath: checkpointOf(round),
    checkpointDigest: checkpointOf(round),
    previousRead: null,
    labelOffsets: [],
    samples: samples.map((sample) => ({ labels: [], held: 0, ...sample })),
    deadlineMs: null,
    changes: [],
    promoted: null,
    steered: [],
    reads: [],
    otherText: null,
  }
}

/** @param offsets the next offset of partition 0, 1, ... of the rewards */
export function closed(round: number, offsets: readonly number[], missing = 0): RoundClosed {
  return {
    run,
    round,
    reason: missing === 0 ? 'answered' : 'deadline',
    rewardOffsets: offsets.map((offsetNext, partition) => ({ topic: 'rewards', partition, offsetNext })),
    missing,
  }
}

export function reward(round: number, actor: string, docId: bigint, value: number): Reward {
  return {
    run,
    round,
    actor,
    docId: asDocumentId(docId),
    reward: value,
    checkpointDigest: checkpointOf(round) ?? '',
    graphDigest: 'g',
    estimator: 'e',
    projectionSeed: 'p',
    taskRewards: null,
  }
}

export const decision = (value: RoundOpened | RoundClosed, offset = 0): Delivered => ({
  topic: 'console-state',
  partition: 0,
  offset,
  record: 'samples' in value ? 'RoundOpened' : 'RoundClosed',
  value,
})

export const answer = (value: Reward, partition: number, offset: number): Delivered => ({
  topic: 'rewards',
  partition,
  offset,
  record: 'Reward',
  value,
})
