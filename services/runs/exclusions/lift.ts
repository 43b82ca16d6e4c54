import { Exclusion, topics } from '../../../schemas/index.ts'
import type { Runtime } from '../../connections/connections.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { OutgoingRecord } from '../../runtime/kafka/port.ts'
import { recordsOf } from '../../runtime/records-of.ts'

/** Records of a request. */
export const recordsPerSend = 500

/**
 * Takes back in what a list excludes, by a record for each of its exclusions in the log, where that stands: from the next round on these documents take part, unless another
 * list has them. The same again changes nothing.
 * @returns how many records were written
 */
export async function liftList(
  { kafka, codec }: Pick<Runtime, 'kafka' | 'codec'>,
  list: string,
  by: string,
  clock: Clock,
): Promise<number> {
  await using opened = new AsyncDisposableStack()
  const producer = opened.adopt(await kafka.producer(), (one) => one.close())
  let lifted = 0
  let batch: OutgoingRecord[] = []
  const send = async () => {
    if (batch.length > 0) await producer.send(batch)
    lifted += batch.length
    batch = []
  }
  for await (const { topic, partition, record, value } of recordsOf({ kafka, codec }, topics.exclusions.name)) {
    const exclusion = value as Exclusion
    if (record !== Exclusion.name || exclusion.list !== list || !exclusion.excluded) continue
    const lift: Exclusion = { ...exclusion, excluded: false, by, recordedMs: clock(), contained: null }
    batch.push({ topic, partition, key: `${exclusion.docId}`, value: codec.encode(Exclusion, lift) })
    if (batch.length >= recordsPerSend) await send()
  }
  await send()
  return lifted
}
