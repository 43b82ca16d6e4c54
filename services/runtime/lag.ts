import type { Kafka } from './kafka/port.ts'

export interface TopicLag {
  readonly topic: string
  /** Not read yet, all partitions together. */
  readonly records: number
}

/**
 * How far a consumer group is behind, whichever instances it has. What it has committed counts, since it passes the markers of transactions,
 * which no reader is given; where it has committed nothing, `startOf` says where it began.
 */
export async function lagOfGroup(
  kafka: Pick<Kafka, 'endOffsets' | 'committedOffsets'>,
  topics: readonly string[],
  groupId: string,
  startOf: (topic: string, partition: number) => number = () => 0,
): Promise<TopicLag[]> {
  return await Promise.all(
    topics.map(async (topic) => {
      const [ends, committed] = await Promise.all([kafka.endOffsets(topic), kafka.committedOffsets(groupId, topic)])
      const behind = ends.map((end, partition) => end - (committed[partition] ?? startOf(topic, partition)))
      return { topic, records: behind.reduce((sum, records) => sum + Math.max(0, records), 0) }
    }),
  )
}
