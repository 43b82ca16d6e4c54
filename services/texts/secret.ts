import { randomFillSync } from 'node:crypto'

/** Drawn at once, since a draw costs more than what it gives: a document takes five. */
const pool = new Uint8Array(4096)
let used = pool.length

/** Bytes that nobody can guess. They are no part of what a run computes, so they come from no seed. @param length at most 4096 */
export function secretBytes(length: number): Uint8Array {
  if (used + length > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const bytes = pool.slice(used, used + length)
  // Nobody gets them twice, nor finds them here.
  pool.fill(0, used, used + length)
  used += length
  return bytes
}
