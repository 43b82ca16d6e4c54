import { type RecordType, topics } from '../../schemas/index.ts'
import { type Codec, DecodeError } from '../runtime/codec.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { IncomingRecord, Kafka } from '../runtime/kafka/port.ts'

/** Some records may be invalid, but not all of them. */
const recordsMax = 20

/**
 * Whether the registry is the one that the topics were written with. One that lost its storage assigns the same ids to other schemas, so that
 * every record would be rejected, or decoded as another type. @throws WinnowError CONFIGURATION if it is a different one
 */
export async function assertRegistryOfLog({ kafka, codec }: { kafka: Kafka; codec: Codec }): Promise<void> {
  const existing = new Set(await kafka.topicNames())
  // Small topics first: a single decoded record is enough.
  for (const { name, records } of [topics.sources, topics.runs, topics.documents]) {
    if (!existing.has(name)) continue
    const [expected] = records
    let other: WinnowError | undefined
    for (const incoming of await firstRecords(kafka, name)) {
      const verdict = await judge(codec, incoming, expected)
      if (verdict === 'understood') return
      other ??= verdict
    }
    if (other !== undefined) throw other
  }
}

async function judge(
  codec: Codec,
  { topic, partition, offset, value }: IncomingRecord,
  expected: RecordType,
): Promise<'understood' | WinnowError | undefined> {
  if (value === null) return undefined
  try {
    await codec.decodeAs(expected, value)
    return 'understood'
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    if (!codec.isBodyOf(expected, value)) return undefined
    const id = value.readUInt32BE(1)
    return new WinnowError(
      'CONFIGURATION',
      `The schema registry is not the one of these topics: ${topic}[${partition}]@${offset} is a ${expected.name} that was written under schema id ${id}, and here that id means something else (${error.message}).`,
      {
        hint: "Has the registry lost its storage, or does registry.url name another one? Restore its storage from a backup; until then nothing is read or written, and nothing is lost. To start over, delete winnow's topics.",
        cause: error,
      },
    )
  }
}

/** None if this process may not read the topic: others check it. */
async function firstRecords(kafka: Kafka, topic: string): Promise<IncomingRecord[]> {
  const found: IncomingRecord[] = []
  try {
    for await (const records of kafka.read(topic)) {
      found.push(...records.slice(0, recordsMax - found.length))
      if (found.length >= recordsMax) break
    }
  } catch (error) {
    if (!(error instanceof WinnowError) || error.code !== 'CONFIGURATION') throw error
  }
  return found
}
