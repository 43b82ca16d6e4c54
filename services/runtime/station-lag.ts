import type { Partition } from '../../schemas/index.ts'
import type { Kafka } from './kafka/port.ts'
import { LagMeter, sumOf } from './lag.ts'
import type { TopicLag } from './metrics/metrics.ts'

/**
 * Measures a station's lag by topic, and the records held back by open transactions.
 * @param startOf where the group begins in a partition it has committed nothing for
 */
export function stationLag(
  kafka: Kafka,
  topics: readonly string[],
  groupId: string,
  startOf: (topic: string, partition: Partition) => number,
): () => Promise<TopicLag[]> {
  const meter = new LagMeter(kafka)
  return async () => {
    const logs = await Promise.all(topics.map((topic) => kafka.logsOf(topic)))
    const ends = logs.map((partitions) => partitions.map(({ stable }) => stable))
    const lags = await meter.measure(topics.map((topic, i) => ({ groupId, topic, ends: ends[i]!, startOf })))
    return topics.map((topic, i) => ({
      topic,
      records: sumOf(lags[i]?.partitions ?? []),
      heldBack: sumOf(logs[i]!.map(({ stable, end }) => end - stable)),
    }))
  }
}
