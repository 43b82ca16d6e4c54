import { createHash } from 'node:crypto'
import { asDocumentId, type Branded, type DocumentId } from '../../schemas/index.ts'

/** The largest document id. */
export const u64Max = 2n ** 64n - 1n

const mask = u64Max

/** splitmix64's mixing of a 64-bit integer (SELECTION.md, "Random choices"); a bijection on [0, 2^64). */
export function splitmix64(x: bigint): bigint {
  let z = (x + 0x9e3779b97f4a7c15n) & mask
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask
  return z ^ (z >> 31n)
}

/** The 64-bit seed of one random choice of a run: `seedOf` makes it. */
export type Seed = Branded<bigint, 'Seed'>

/** What a seed is used for. `sample:` and the draws of a fit (`topologies/fits`) are followed by the actor's name. */
export type SeedPurpose =
  | 'select'
  | 'order'
  | 'validate'
  | 'retrain'
  | 'hold-out'
  | 'bootstrap'
  | `sample:${string}`
  | `mixtures:${string}`
  | `candidates:${string}`
  | 'doremi:rows'

/** The 64-bit seed of one random choice of a run: the first 8 bytes, little-endian, of SHA-256 of `${seed}:${round}:${purpose}`. */
export function seedOf(seed: string | number | bigint, round: number, purpose: SeedPurpose): Seed {
  return createHash('sha256').update(`${seed}:${round}:${purpose}`, 'utf8').digest().readBigUInt64LE(0) as Seed
}

/** The order in which a round's selection is emitted: ascending order key. Distinct ids have distinct ones, since splitmix64 is a bijection. */
export function orderKey(documentId: DocumentId, seed: Seed): bigint {
  return splitmix64(documentId ^ seed)
}

/** A document id from its canonical decimal text (no sign, no leading zero, below 2^64); null if it is not one. */
export function parseId(text: string): DocumentId | null {
  if (!/^(?:0|[1-9][0-9]{0,19})$/.test(text)) return null
  const id = BigInt(text)
  return id <= u64Max ? asDocumentId(id) : null
}

/** Compares ids for Array.prototype.sort, ascending. */
export function compareIds(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
