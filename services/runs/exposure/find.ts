import { asDocumentId, type DocumentId, type Manifest } from '../../../schemas/index.ts'
import { chunkCount } from '../../../topologies/console/parts.ts'
import { orderKey, type Seed } from '../../../topologies/selection/u64.ts'
import { chunksFrom } from '../../selections/chunks.ts'

type Ports = Parameters<typeof chunksFrom>[0]

/** Guesses before halving: order keys are spread evenly, so that the first guess is as a rule at most a chunk off. */
const guessesMax = 4

/**
 * Where a document stands in a round's selection, by the stream itself: few of its chunks are read, whatever its length.
 * @param orderSeed of the round; ids are emitted by ascending order key (SELECTION.md, step 7)
 * @returns its index; undefined: the round has not selected it
 */
export async function indexInSelection(
  ports: Ports,
  manifest: Manifest,
  orderSeed: Seed,
  document: DocumentId,
): Promise<number | undefined> {
  const wanted = orderKey(document, orderSeed)
  let low = { chunk: 0, key: 0n }
  let high = { chunk: chunkCount(manifest), key: 2n ** 64n }
  for (let tries = 0; low.chunk < high.chunk; tries++) {
    const chunks = high.chunk - low.chunk
    const share = tries < guessesMax ? Number(wanted - low.key) / Number(high.key - low.key) : 0.5
    const chunk = low.chunk + Math.min(chunks - 1, Math.max(0, Math.floor(chunks * share)))
    const ids = await chunkAt(ports, manifest, chunk)
    const [first, last] = [orderKey(ids[0]!, orderSeed), orderKey(ids.at(-1)!, orderSeed)]
    if (wanted < first) high = { chunk, key: first }
    else if (wanted > last) low = { chunk: chunk + 1, key: last }
    else {
      const at = ids.indexOf(document)
      return at === -1 ? undefined : chunk * manifest.chunkDocuments + at
    }
  }
  return undefined
}

async function chunkAt(ports: Ports, manifest: Manifest, chunk: number): Promise<readonly DocumentId[]> {
  for await (const { docIds } of chunksFrom(ports, manifest, chunk * manifest.chunkDocuments))
    return Array.from(docIds, asDocumentId)
  throw new Error(`chunk ${chunk} of round ${manifest.round} cannot be read yet`)
}
