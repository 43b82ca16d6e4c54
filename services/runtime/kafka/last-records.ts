import type { IncomingRecord, Kafka } from './port.ts'

/**
 * The newest `count` records of a topic, oldest first; `next`: where to read on, by partition. Partitions have no common order: records go by the
 * time at which they were written, and partitions take turns where that is the same.
 */
export async function lastRecords(
  kafka: Pick<Kafka, 'logsOf' | 'read'>,
  topic: string,
  count: number,
): Promise<{ records: IncomingRecord[]; next: number[] }> {
  const next = await offsetsOfLast(kafka, topic, count)
  const byPartition = new Map<number, IncomingRecord[]>()
  for await (const batch of kafka.read(topic, [...next])) {
    for (const record of batch) {
      const kept = byPartition.get(record.partition) ?? []
      byPartition.set(record.partition, [...kept.slice(Math.max(0, kept.length + 1 - count)), record])
      next[record.partition] = record.offset + 1
    }
  }
  if (count === 0) return { records: [], next }
  const newest = [...byPartition.values()]
    .flatMap((records) => records.map((record, i) => ({ record, fromEnd: records.length - i })))
    .sort((a, b) => (a.record.writtenMs ?? 0) - (b.record.writtenMs ?? 0) || b.fromEnd - a.fromEnd)
    .slice(-count)
  return { records: newest.map(({ record }) => record), next }
}

/**
 * For each partition the offset from which it has `count` records, or all of them if there are fewer. Markers of transactions and records
 * removed by compaction use up offsets too.
 */
export async function offsetsOfLast(
  kafka: Pick<Kafka, 'logsOf' | 'read'>,
  topic: string,
  count: number,
): Promise<number[]> {
  const logs = await kafka.logsOf(topic)
  const nowhere = logs.map(({ stable }) => stable)
  return await Promise.all(
    logs.map(async ({ partition, first, stable }) => {
      for (let back = count; count > 0; back *= 8) {
        const from = Math.max(first, stable - back)
        const offsets: number[] = []
        for await (const records of kafka.read(topic, nowhere.with(partition, from)))
          offsets.push(...records.filter((record) => record.partition === partition).map(({ offset }) => offset))
        if (offsets.length >= count) return offsets.at(-count)!
        if (from === first) return first
      }
      return stable
    }),
  )
}
