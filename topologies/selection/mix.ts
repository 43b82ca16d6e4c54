import { endianness } from 'node:os'
import type { Seed } from './u64.ts'

/**
 * orderKey(id, seed) over whole columns without a BigInt per document. A column of ids is a BigUint64Array, also viewed as uint32 words
 * (low, high, low, high, ...), so that numbers carry 32 bits each and nothing is rounded.
 */

if (endianness() !== 'LE') throw new Error('winnow needs a little-endian machine')

const low = 0
const high = 1

/** The uint32 words (low first) of a column of 64-bit integers; a view, not a copy. */
export function wordsOf(column: BigUint64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, column.length * 2)
}

/** The high 32 bits of the product of two uint32. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0
}

/** Replaces every id of the column by orderKey(id, seed); by its place if the seed is 0. */
export function mixInPlace(column: BigUint64Array, seed: bigint): void {
  const words = wordsOf(column)
  const seedLow = Number(seed & 0xffffffffn) | 0
  const seedHigh = Number(seed >> 32n) | 0
  for (let at = 0; at < words.length; at += 2) {
    let lo = ((words[at + low]! ^ seedLow) >>> 0) + 0x7f4a7c15
    let hi = (((words[at + high]! ^ seedHigh) >>> 0) + 0x9e3779b9 + (lo > 0xffffffff ? 1 : 0)) >>> 0
    lo >>>= 0
    lo = (lo ^ ((lo >>> 30) | (hi << 2))) >>> 0
    hi = (hi ^ (hi >>> 30)) >>> 0
    hi = (multiplyHigh(lo, 0x1ce4e5b9) + Math.imul(lo, 0xbf58476d) + Math.imul(hi, 0x1ce4e5b9)) >>> 0
    lo = Math.imul(lo, 0x1ce4e5b9) >>> 0
    lo = (lo ^ ((lo >>> 27) | (hi << 5))) >>> 0
    hi = (hi ^ (hi >>> 27)) >>> 0
    hi = (multiplyHigh(lo, 0x133111eb) + Math.imul(lo, 0x94d049bb) + Math.imul(hi, 0x133111eb)) >>> 0
    lo = Math.imul(lo, 0x133111eb) >>> 0
    words[at + low] = lo ^ ((lo >>> 31) | (hi << 1))
    words[at + high] = hi ^ (hi >>> 31)
  }
}

/** Inverse of `mixInPlace`: replaces every key by its id. Multiplies by the inverses, mod 2^64, of splitmix64's constants. */
export function unmixInPlace(column: BigUint64Array, seed: bigint): void {
  const words = wordsOf(column)
  const seedLow = Number(seed & 0xffffffffn) | 0
  const seedHigh = Number(seed >> 32n) | 0
  for (let at = 0; at < words.length; at += 2) {
    let lo = words[at + low]!
    let hi = words[at + high]!
    // z ^ z>>31 ^ z>>62 undoes z ^ z>>31, and likewise below.
    lo = (lo ^ ((lo >>> 31) | (hi << 1)) ^ (hi >>> 30)) >>> 0
    hi = (hi ^ (hi >>> 31)) >>> 0
    hi = (multiplyHigh(lo, 0xd24d8ec3) + Math.imul(lo, 0x319642b2) + Math.imul(hi, 0xd24d8ec3)) >>> 0
    lo = Math.imul(lo, 0xd24d8ec3) >>> 0
    lo = (lo ^ ((lo >>> 27) | (hi << 5)) ^ (hi >>> 22)) >>> 0
    hi = (hi ^ (hi >>> 27)) >>> 0
    hi = (multiplyHigh(lo, 0x3f119089) + Math.imul(lo, 0x96de1b17) + Math.imul(hi, 0x3f119089)) >>> 0
    lo = Math.imul(lo, 0x3f119089) >>> 0
    lo = (lo ^ ((lo >>> 30) | (hi << 2)) ^ (hi >>> 28)) >>> 0
    hi = (hi ^ (hi >>> 30)) >>> 0
    hi = (hi - 0x9e3779b9 - (lo < 0x7f4a7c15 ? 1 : 0)) >>> 0
    words[at + low] = (lo - 0x7f4a7c15) ^ seedLow
    words[at + high] = hi ^ seedHigh
  }
}

/**
 * Sorts a column of distinct ids by (orderKey(id, seed), id), in place. As distinct ids have distinct keys, the keys alone are sorted,
 * by the engine's own sort of 64-bit integers, and turned back into ids.
 */
export function sortByOrderKey(column: BigUint64Array, seed: Seed): BigUint64Array {
  mixInPlace(column, seed)
  column.sort()
  unmixInPlace(column, seed)
  return column
}
