import { ingestTransactions } from '../ingest/ingest.ts'
import type { Clock } from '../runtime/clock.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Kafka } from '../runtime/kafka/port.ts'
import type { MasterKeys, WrappedKey } from '../texts/master-keys.ts'
import type { ClickHouseTextKeys } from './text-keys.ts'

/** Keys that are wrapped at a time. */
const keysPerPage = 5000

/** A new epoch begins with these: they show an ingest that its file is older. */
const keysFirst = 100

interface Ports {
  readonly keys: ClickHouseTextKeys
  readonly masterKeys: MasterKeys
  readonly kafka: Pick<Kafka, 'producer'>
  readonly clock: Clock
}

export interface Rotated {
  /** The newest, which has wrapped all keys that there are. */
  readonly epoch: number
  readonly keys: number
  /** Documents that were erased and had a key left: their erasure was cut off, or came meanwhile. */
  readonly erased: number
}

/**
 * Adds the master key of a new epoch to the file, by which nothing is wrapped before `rotateKeys` goes on with it: readers elsewhere get the file
 * in between, and none meets a key that it cannot open. @returns its number
 * @throws WinnowError as `rotateKeys`
 */
export async function prepareEpoch({ keys, masterKeys, clock }: Omit<Ports, 'kafka'>): Promise<number> {
  masterKeys.assertSame(await keys.newest())
  return masterKeys.addEpoch(clock())
}

/**
 * Begins a new epoch and wraps all keys by its master key: whoever destroys the older ones then has destroyed, in every copy of ClickHouse that was
 * made before, the keys that erasures had deleted. Erasures that are recorded must be in ClickHouse: those that were cut off are finished first.
 * `goOn`: with the newest epoch there is, which was prepared, or begun by a rotation that was cut off.
 *
 * An ingest may be on. Once keys of the new epoch are there the ingest is fenced: what it still keeps by the older epoch belongs to a transaction
 * that cannot be committed, and may be deleted. One that starts sees that there is a newer epoch, and wraps by that.
 * @throws WinnowError CONFIGURATION if the file of master keys is an older one, BAD_DATA if it is another
 */
export async function rotateKeys(
  { keys, masterKeys, kafka, clock }: Ports,
  { goOn = false, onProgress = () => {} }: { goOn?: boolean; onProgress?: (done: number) => void } = {},
): Promise<Rotated> {
  masterKeys.assertSame(await keys.newest())
  // First of all: a receipt counts the epochs that had begun when an erasure was recorded, so none that begins later may wrap its keys.
  const cutOff = await keys.keptThoughErased()
  await keys.destroy(cutOff)
  const epoch = goOn ? masterKeys.newest : masterKeys.addEpoch(clock())
  const rewrap = async (wrapped: readonly WrappedKey[]) => {
    await keys.add(wrapped.map((key) => masterKeys.wrap(masterKeys.unwrap(key))))
  }
  await rewrap(await keys.wrappedBefore(epoch, undefined, keysFirst))
  const fence = await kafka.producer({ transactionalId: ingestTransactions })
  await fence.transaction(async () => {}).finally(() => fence.close())
  let done = 0
  let page: WrappedKey[] = []
  do {
    page = await keys.wrappedBefore(epoch, page.at(-1), keysPerPage)
    await rewrap(page)
    done += page.length
    onProgress(done)
  } while (page.length > 0)
  const left = await keys.notWrappedBy(epoch)
  if (left > 0)
    throw new WinnowError(
      'GUARANTEE_VIOLATED',
      `${left} keys are still wrapped by an older epoch alone: none is deleted`,
      {
        hint: 'Go on with winnow keys rotate --go-on.',
      },
    )
  await keys.dropBefore(epoch)
  // What an erasure deleted while its page was being wrapped has just been written again.
  const rewritten = await keys.keptThoughErased()
  await keys.destroy(rewritten)
  return { epoch, keys: done, erased: new Set([...cutOff, ...rewritten]).size }
}
