import { asDocumentId, type DocumentId } from '../../schemas/index.ts'

/**
 * A document's id encodes its row: source number (24 bits) << 40 | piece (8 bits) << 32 | row (32 bits). A document that is a whole row is
 * piece 0, and so is the first piece of a split row.
 */

export const sourceNumberMax = 2 ** 24 - 1
export const rowMax = 2 ** 32 - 1
export const pieceMax = 2 ** 8 - 1

/** A document's place: `row` counts every line of the source from 0, blank ones included. */
export interface DocumentPlace {
  readonly source: number
  readonly row: number
  readonly piece: number
}

/** Callers check that all numbers fit. */
export const documentId = (source: number, row: number, piece = 0): DocumentId =>
  asDocumentId((BigInt(source) << 40n) | (BigInt(piece) << 32n) | BigInt(row))

/** The inverse of `documentId`. */
export const placeOf = (id: DocumentId): DocumentPlace => ({
  source: Number(id >> 40n),
  row: Number(id & 0xffff_ffffn),
  piece: Number((id >> 32n) & 0xffn),
})

/** The first and the last id that documents of a source can have. */
export const idsOf = (source: number): { first: DocumentId; last: DocumentId } => ({
  first: documentId(source, 0),
  last: documentId(source, rowMax, pieceMax),
})
