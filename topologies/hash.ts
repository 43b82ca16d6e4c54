/**
 * Hashes of 32 bits for tables, buckets and sketches: fast, not secret. What decides a selection is in selection/u64.ts.
 * Stored models, signatures and labels depend on these values.
 */

export const fnvOffset = 0x811c9dc5 | 0
export const fnvPrime = 0x01000193

/** FNV-1a over UTF-16 units, as a signed 32-bit integer. Its low or high bits alone are too regular to choose a bucket: see `mix32`. */
export function fnv1a(text: string): number {
  let hash = fnvOffset
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), fnvPrime)
  return hash
}

/** MurmurHash3's finalizer (fmix32): spreads 32 bits evenly; a bijection on [0, 2^32). */
export function mix32(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** The high 21 bits of one hash and the 32 bits of another, as a key that a number holds exactly. */
export const key53 = (high: number, low: number): number => (high >>> 11) * 2 ** 32 + (low >>> 0)
