import type { Kafka } from './port.ts'

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
