import type { DeadLetter, Offset, Partition } from '../../../schemas/index.ts'
import type { Runtime } from '../../connections/connections.ts'
import { keyBytesKept, valueBytesKept } from '../../runtime/dead-letters.ts'
import { WinnowError } from '../../runtime/errors.ts'
import type { IncomingRecord, Kafka, OutgoingRecord, Producer } from '../../runtime/kafka/port.ts'
import type { StoredLetter } from './read.ts'

/** Sent: where the record is now. Refused: why it cannot be sent again. */
export type Redriven =
  | { readonly offset: Offset; readonly topic: string; readonly partition: Partition; readonly offsetNew: number }
  | { readonly offset: Offset; readonly refused: string }

/**
 * Sends rejected records to their original topics again, with their own key, to their own partition, once the cause is fixed. Every effect has
 * an identity, so stations that accepted the record the first time do nothing new, and a record that is rejected again becomes another dead
 * letter. @param mended bytes to send in the record's place, for example with a corrected field
 * @throws WinnowError UNREACHABLE, CONFIGURATION (the topic is gone); what was sent before stays sent
 */
export async function redrive(
  { kafka }: Pick<Runtime, 'kafka'>,
  letters: Iterable<StoredLetter> | AsyncIterable<StoredLetter>,
  mended?: Uint8Array,
): Promise<Redriven[]> {
  const done: Redriven[] = []
  await using opened = new AsyncDisposableStack()
  let producer: Producer | undefined
  for await (const { offset, letter } of letters) {
    const record = await recordOf(kafka, letter, mended)
    if ('refused' in record) {
      done.push({ offset, refused: record.refused })
      continue
    }
    producer ??= opened.adopt(await kafka.producer(), (one) => one.close())
    try {
      const [landed] = await producer.send([record])
      done.push({ offset, topic: record.topic, partition: landed!.partition, offsetNew: landed!.offsetFirst })
    } catch (error) {
      // Too large for us to write, whoever wrote it before.
      if (!(error instanceof WinnowError && error.code === 'BAD_DATA')) throw error
      done.push({ offset, refused: error.message })
    }
  }
  return done
}

async function recordOf(
  kafka: Kafka,
  { topic, partition, offset, key, value, file, line }: DeadLetter,
  mended: Uint8Array | undefined,
): Promise<OutgoingRecord | { refused: string }> {
  if (topic === null || partition === null || offset === null) {
    const refused = `row ${line} of ${file} came from no topic: fix it in a new file and ingest that`
    return { refused }
  }
  // Long ones are kept only in part; the whole record is at the origin.
  const cut = (key?.length ?? 0) >= keyBytesKept || (value?.length ?? 0) >= valueBytesKept
  if (!cut) return { topic, partition, key: textOf(key), value: mended ?? value }
  const whole = await recordAt(kafka, topic, partition, offset)
  if (whole === undefined)
    return { refused: `its bytes were kept only in part, and ${topic}[${partition}]@${offset} is gone` }
  return { topic, partition, key: textOf(whole.key), value: mended ?? whole.value }
}

/** Keys in our topics are text. */
const textOf = (key: Uint8Array | null): string | null => (key === null ? null : Buffer.from(key).toString('utf8'))

async function recordAt(
  kafka: Kafka,
  topic: string,
  partition: Partition,
  offset: Offset,
): Promise<IncomingRecord | undefined> {
  const ends = await kafka.endOffsets(topic)
  const from = ends.map((end, other) => (other === partition ? offset : end))
  try {
    for await (const [first] of kafka.read(topic, from)) return first?.offset === offset ? first : undefined
  } catch (error) {
    if (!(error instanceof WinnowError && error.code === 'BAD_DATA')) throw error
  }
  return undefined
}
