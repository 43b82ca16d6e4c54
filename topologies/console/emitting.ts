import { createHash, type Hash } from 'node:crypto'
import { Manifest, type Part, runTopics, SelectionChunk } from '../../schemas/index.ts'
import { WinnowError } from '../errors.ts'
import { SelectionTree } from '../exposure/selection-tree.ts'
import type { Outgoing, Output, Send } from '../node.ts'
import { chunkCount } from './parts.ts'

/** A selection that is decided but not yet written. Its ids can be read once. */
export interface DecidedSelection {
  readonly manifest: Omit<Manifest, 'chunkOffsetFirst' | 'parts' | 'selectionDigest' | 'selectionRoot'>
  readonly ids: AsyncIterable<BigUint64Array>
}

/** How a selection is cut for its topic. */
export interface EmissionLayout {
  /** Ids in a chunk, which is a record. */
  readonly chunkDocuments: number
  /** Chunks in a part, which is a transaction. */
  readonly partChunks: number
}

/**
 * A chunk is 64 KiB of ids, far below the broker's message limit; a part is 4,194,304 ids, a few seconds of writing, far below the
 * transaction timeout of brokers and clients (a minute by default).
 */
export const emissionLayout: EmissionLayout = { chunkDocuments: 8192, partChunks: 512 }

/** Chunks in one request, at most 82,000 bytes each: nearly what a broker takes. */
export const chunksPerSend = 12

/**
 * Writes a selection in parts, each a transaction of its own, and with the last part the manifest, which says where every part is: a
 * reader that has the manifest can read all of it. Parts without a manifest were left by a console killed in between; nobody
 * reads them, and its successor writes all parts again.
 * @param output of the only producer that writes chunks: its transactional id fences the others
 * @param alongside written with the manifest, before it
 * @throws WinnowError FENCED if another producer has taken over
 */
export async function emitSelection(
  output: Pick<Output, 'transaction'>,
  { manifest, ids }: DecidedSelection,
  { partChunks }: Pick<EmissionLayout, 'partChunks'> = emissionLayout,
  alongside: readonly Outgoing[] = [],
): Promise<Manifest> {
  const { selections, consoleState } = runTopics(manifest.run)
  const hash = createHash('sha256')
  const tree = new SelectionTree()
  const chunks = chunksOf(manifest, ids, hash, tree)
  const count = chunkCount(manifest)
  const parts: Part[] = []
  for (let chunkFirst = 0; ; chunkFirst += partChunks) {
    const written = await output.transaction(async (send) => {
      const chunksHere = Math.min(partChunks, count - chunkFirst)
      if (chunksHere > 0)
        parts.push({ chunkFirst, offsetFirst: await sendPart(send, selections.name, chunks, chunksHere, manifest) })
      if (chunkFirst + partChunks < count) return undefined
      if (!(await chunks.next()).done) throw miscounted(manifest, 'more')
      const value: Manifest = {
        ...manifest,
        selectionDigest: hash.digest('hex'),
        selectionRoot: tree.root(),
        chunkOffsetFirst: parts[0]?.offsetFirst ?? -1,
        parts,
      }
      await send(alongside)
      await send([{ topic: consoleState.name, record: Manifest, key: `selected/${manifest.round}`, value }])
      return value
    })
    if (written !== undefined) return written
  }
}

/**
 * Sends chunks in sequence, so that their offsets are consecutive; while some are sent, the next ones are made. @returns the first offset
 */
async function sendPart(
  send: Send,
  topic: string,
  chunks: AsyncGenerator<SelectionChunk>,
  count: number,
  manifest: DecidedSelection['manifest'],
): Promise<number> {
  let offsetFirst: number | undefined
  let records = await take(chunks, Math.min(chunksPerSend, count), topic, manifest)
  for (let done = 0; done < count; ) {
    const left = count - done - records.length
    // Both are over before either is judged: nothing may still be written when the transaction is aborted.
    const [sent, taken] = await Promise.allSettled([
      send(records),
      take(chunks, Math.min(chunksPerSend, left), topic, manifest),
    ])
    if (sent.status === 'rejected') throw sent.reason
    if (taken.status === 'rejected') throw taken.reason
    const [landed] = sent.value
    offsetFirst ??= landed!.offsetFirst
    if (landed!.offsetFirst !== offsetFirst + done) {
      const message = `chunks of round ${manifest.round} stand at ${landed!.offsetFirst} of ${topic}, not at ${offsetFirst + done}`
      throw new WinnowError('GUARANTEE_VIOLATED', message)
    }
    done += records.length
    records = taken.value
  }
  return offsetFirst!
}

async function take(
  chunks: AsyncGenerator<SelectionChunk>,
  count: number,
  topic: string,
  manifest: DecidedSelection['manifest'],
): Promise<Outgoing[]> {
  const records: Outgoing[] = []
  while (records.length < count) {
    const { value, done } = await chunks.next()
    if (done) throw miscounted(manifest, 'fewer')
    records.push({ topic, record: SelectionChunk, key: `${manifest.round}`, value })
  }
  return records
}

const miscounted = ({ round, documents }: DecidedSelection['manifest'], than: string) =>
  new WinnowError('GUARANTEE_VIOLATED', `round ${round} has ${than} ids than the ${documents} that were decided`)

/** Cuts emitted ids, which come in pieces of any size, into chunks, and hashes them. */
async function* chunksOf(
  { run, round, chunkDocuments }: DecidedSelection['manifest'],
  ids: AsyncIterable<BigUint64Array>,
  hash: Hash,
  tree: SelectionTree,
): AsyncGenerator<SelectionChunk> {
  let docIds = new BigUint64Array(chunkDocuments)
  let held = 0
  let indexFirst = 0
  for await (const piece of ids) {
    hash.update(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength))
    tree.add(piece)
    for (let from = 0; from < piece.length; ) {
      const some = piece.subarray(from, from + chunkDocuments - held)
      docIds.set(some, held)
      from += some.length
      held += some.length
      if (held < chunkDocuments) break
      yield { run, round, indexFirst, docIds }
      indexFirst += held
      docIds = new BigUint64Array(chunkDocuments)
      held = 0
    }
  }
  if (held > 0) yield { run, round, indexFirst, docIds: docIds.slice(0, held) }
}
