import { setTimeout as sleep } from 'node:timers/promises'
import { asDocumentId, type DocumentId, type Manifest, runTopics, SelectionChunk } from '../../schemas/index.ts'
import { stretchesFrom } from '../../topologies/console/parts.ts'
import type { ReadsSource } from '../../topologies/console/reads.ts'
import type { Codec } from '../runtime/codec.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Kafka } from '../runtime/kafka/port.ts'

export interface SelectionPorts {
  readonly kafka: Pick<Kafka, 'read'>
  readonly codec: Codec
}

const attemptsMax = 100
const attemptMs = 50

/**
 * The ids of a selection from `index` on, once, in chunks as written.
 * @throws WinnowError GUARANTEE_VIOLATED if it is not whole, or others stand in its place
 */
export async function* selectionIds(
  ports: SelectionPorts,
  manifest: Manifest,
  index = 0,
): AsyncGenerator<readonly DocumentId[]> {
  let next = index
  for (let attempt = 0; next < manifest.documents; attempt++) {
    const before = next
    for await (const chunk of chunksFrom(ports, manifest, next)) {
      const skip = next - chunk.indexFirst
      yield Array.from(chunk.docIds.subarray(skip), asDocumentId)
      next = chunk.indexFirst + chunk.docIds.length
    }
    if (next > before) attempt = 0
    // A transaction is committed partition by partition: the manifest may be readable a moment before the chunks are.
    else if (attempt === attemptsMax) {
      const message = `the selection of round ${manifest.round} ends at ${next} of ${manifest.documents}`
      throw new WinnowError('GUARANTEE_VIOLATED', message)
    } else await sleep(attemptMs)
  }
}

/** The selections of runs, as their topics have them. */
export const selectionsOf = (ports: SelectionPorts): ReadsSource => ({
  selection: (manifest, index) => selectionIds(ports, manifest, index),
})

/** The chunks readable now, from the one that holds `index`. @throws WinnowError GUARANTEE_VIOLATED if others stand in their places */
export async function* chunksFrom(
  { kafka, codec }: SelectionPorts,
  manifest: Manifest,
  index: number,
): AsyncGenerator<SelectionChunk> {
  const topic = runTopics(manifest.run).selections.name
  let next = index
  for (const { offsetFirst, chunks } of stretchesFrom(manifest, Math.floor(index / manifest.chunkDocuments))) {
    let left = chunks
    for await (const records of kafka.read(topic, [offsetFirst])) {
      for (const { value, offset } of records.slice(0, left)) {
        const chunk = await codec.decodeAs(SelectionChunk, value!)
        const skip = next - chunk.indexFirst
        if (chunk.round !== manifest.round || skip < 0 || skip >= chunk.docIds.length) {
          const message = `offset ${offset} of ${topic} does not hold index ${next} of round ${manifest.round}`
          throw new WinnowError('GUARANTEE_VIOLATED', message)
        }
        yield chunk
        next = chunk.indexFirst + chunk.docIds.length
        left--
      }
      if (left === 0) break
    }
    // Not visible yet, and neither is what follows.
    if (left > 0) return
  }
}
