import type { Kafka } from './kafka/port.ts'

export interface TopicLag {
  readonly topic: string
  /** Not read yet, all partitions together; by offsets, which count the markers of transactions as well. */
  readonly records: number
}

/** How far a reader is behind the ends of its topics, by where it stands. */
export async function lagBehind(
  kafka: Pick<Kafka, 'endOffsets'>,
  topics: readonly string[],
  positionOf: (topic: string, partition: number) => number,
): Promise<TopicLag[]> {
  return await Promise.all(
    topics.map(async (topic) => {
      const ends = await kafka.endOffsets(topic)
      return { topic, records: ends.reduce((sum, end, p) => sum + Math.max(0, end - positionOf(topic, p)), 0) }
    }),
  )
}

/** How far a consumer group is behind, whichever instances it has. */
export async function lagOfGroup(
  kafka: Pick<Kafka, 'endOffsets' | 'committedOffsets'>,
  topics: readonly string[],
  groupId: string,
): Promise<TopicLag[]> {
  const lags = topics.map(async (topic) => {
    const committed = await kafka.committedOffsets(groupId, topic)
    return await lagBehind(kafka, [topic], (_topic, partition) => committed[partition] ?? 0)
  })
  return (await Promise.all(lags)).flat()
}
