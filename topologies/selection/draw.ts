import type { DocumentId } from '../../schemas/index.ts'
import { mixInPlace, unmixInPlace, wordsOf } from './mix.ts'
import { type Seed, splitmix64, u64Max } from './u64.ts'

/**
 * The draws of a round (SELECTION.md, "Random choices"). Every draw reads one stored permutation of the documents, in each of 64 blocks from its
 * own start upwards, wrapping around: a draw of n documents is 64 stretches, which a corpus sorted by place answers by reading ranges.
 */

/** The places fall into 64 blocks by their highest six bits. */
export const blocks = 64

/** Bits of a place within its block. */
export const placeBits = 58n

const blockSize = 1n << placeBits
const blockBits = 6n

/** A document's place in the stored permutation. Distinct ids have distinct places. */
export const place = (documentId: DocumentId): bigint => splitmix64(documentId)

/** Where a draw begins in each block: 64 places within it, below 2^58. */
export function drawStarts(seed: Seed): bigint[] {
  return Array.from({ length: blocks }, (_, b) => splitmix64((seed + BigInt(b)) & u64Max) % blockSize)
}

/** The order of a draw: ascending key. Distinct ids have distinct keys. */
export function key(documentId: DocumentId, seed: Seed): bigint {
  const at = place(documentId)
  const block = at >> placeBits
  const start = splitmix64((seed + block) & u64Max)
  return (((at - start) & (blockSize - 1n)) << blockBits) | block
}

/** Replaces every id of the column by key(id, seed). */
export function drawInPlace(column: BigUint64Array, seed: Seed): void {
  mixInPlace(column, 0n)
  const words = wordsOf(column)
  const starts = wordsOf(BigUint64Array.from(drawStarts(seed)))
  for (let at = 0; at < words.length; at += 2) {
    const high = words[at + 1]!
    const block = high >>> 26
    const low = words[at]! - starts[block * 2]!
    const borrow = low < 0 ? 1 : 0
    words[at] = (low << 6) | block
    words[at + 1] = ((high - starts[block * 2 + 1]! - borrow) << 6) | ((low >>> 26) & 63)
  }
}

/** Inverse of `drawInPlace`: replaces every key by its id. */
export function undrawInPlace(column: BigUint64Array, seed: Seed): void {
  const words = wordsOf(column)
  const starts = wordsOf(BigUint64Array.from(drawStarts(seed)))
  for (let at = 0; at < words.length; at += 2) {
    const block = words[at]! & 63
    const low = ((words[at]! >>> 6) | (words[at + 1]! << 26)) >>> 0
    const sum = low + starts[block * 2]!
    const high = (words[at + 1]! >>> 6) + starts[block * 2 + 1]! + (sum > 0xffffffff ? 1 : 0)
    words[at] = sum
    words[at + 1] = (high & 0x3ffffff) | (block << 26)
  }
  unmixInPlace(column, 0n)
}

/**
 * Sorts a column of distinct ids by (key(id, seed), id), in place. As distinct ids have distinct keys, the keys alone are sorted,
 * by the engine's own sort of 64-bit integers, and turned back into ids.
 */
export function sortByKey(column: BigUint64Array, seed: Seed): BigUint64Array {
  drawInPlace(column, seed)
  column.sort()
  undrawInPlace(column, seed)
  return column
}
