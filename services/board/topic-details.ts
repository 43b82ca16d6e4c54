import type { Runtime } from '../connections/connections.ts'
import { DecodeError } from '../runtime/codec.ts'
import { lastRecords } from '../runtime/kafka/last-records.ts'
import type { IncomingRecord } from '../runtime/kafka/port.ts'

const recordsShownMax = 12
/** Longer texts in a shown record are cut: a page is for a look, not for reading. */
const charactersMax = 2000

/** Partitions of a topic, who consumes it, and its last records, decoded. */
export async function describeTopic({ kafka, codec }: Pick<Runtime, 'kafka' | 'codec'>, topic: string) {
  const ends = await kafka.endOffsets(topic)
  const groups = (await kafka.consumerGroups('')).filter(({ members }) =>
    members.some(({ assigned }) => topic in assigned),
  )
  const consumers = await Promise.all(
    groups.map(async ({ groupId, state, members }) => ({
      group: groupId,
      state,
      committed: await kafka.committedOffsets(groupId, topic),
      members: members
        .filter(({ assigned }) => topic in assigned)
        .map(({ client, host, assigned }) => ({ client, host, partitions: assigned[topic] })),
    })),
  )
  const { records } = await lastRecords(kafka, topic, recordsShownMax)
  const newestFirst = records.toReversed().map((record) => decoded(codec, record))
  return { ends, consumers, records: await Promise.all(newestFirst) }
}

async function decoded(
  codec: Runtime['codec'],
  { partition, offset, key, value, writtenMs }: IncomingRecord,
): Promise<object> {
  const place = { partition, offset, key: key?.toString() ?? null, atMs: writtenMs ?? null }
  if (value === null) return { ...place, record: 'deleted', value: null }
  try {
    const { record, value: read } = await codec.decode(value)
    return { ...place, record, value: shortened(read), bytes: value.length }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return { ...place, record: null, error: error.message, bytes: value.length }
  }
}

const shortened = (value: unknown): unknown => {
  if (typeof value === 'string' && value.length > charactersMax) return `${value.slice(0, charactersMax)}…`
  if (Array.isArray(value) && value.length > 50) return [...value.slice(0, 50), `… ${value.length - 50} more`]
  return value !== null && typeof value === 'object' && !ArrayBuffer.isView(value)
    ? Object.fromEntries(Object.entries(value).map(([key, part]) => [key, shortened(part)]))
    : value
}
