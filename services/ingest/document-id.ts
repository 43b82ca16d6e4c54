import { asDocumentId, type DocumentId } from '../../schemas/index.ts'

/** A document's id leads back to its row without a look-up: source number (24 bits) << 40 | row (40 bits). */

export const sourceNumberMax = 2 ** 24 - 1
export const rowMax = 2 ** 40 - 1

/** `row` counts every line of the source from 0, blank ones included. Both are within their bits: callers check. */
export const documentId = (source: number, row: number): DocumentId =>
  asDocumentId((BigInt(source) << 40n) | BigInt(row))

/** The inverse of `documentId`. */
export const placeOf = (id: DocumentId): { source: number; row: number } => ({
  source: Number(id >> 40n),
  row: Number(id & 0xff_ffff_ffffn),
})
