import type { DocumentId } from '../../schemas/index.ts'

/** What was selected from an index on, without end: after the last document comes the first again, as a trainer reads a stream. */
export function again(ids: BigUint64Array, index: number): AsyncGenerator<DocumentId>
export function again<T>(documents: readonly T[], index: number): AsyncGenerator<T>
export async function* again(documents: ArrayLike<unknown>, index: number): AsyncGenerator<unknown> {
  for (let at = index % documents.length; ; at = (at + 1) % documents.length) yield documents[at]
}
