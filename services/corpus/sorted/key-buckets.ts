import { unmixInPlace, wordsOf } from '../../../topologies/selection/mix.ts'
import type { Seed } from '../../../topologies/selection/u64.ts'
import { spreadSort } from './spread-sort.ts'

/** Keys of a bucket, about: 256 KB, which are sorted within a processor's cache and in a few milliseconds. */
const keysPerBucket = 32_768

/** One bucket in a thousand needs more room than this times its share: keys are spread evenly. */
const slack = 1.02

interface Bucket {
  /** Low and high words in turn. */
  words: Uint32Array
  /** How many of them are filled. */
  length: number
}

/**
 * Sorts the order keys of a range, which come in any order, and gives their ids: keys fall into buckets of smaller ranges as they come, and each
 * bucket is sorted once it is asked for. Holds 8 bytes a key.
 */
export class KeyBuckets {
  readonly #firstHigh: number
  readonly #perHigh: number
  readonly #buckets: Bucket[]

  /**
   * @param first smallest key of the range
   * @param last largest one
   * @param expected how many keys will come, about
   */
  constructor(first: bigint, last: bigint, expected: number) {
    this.#firstHigh = Number(first >> 32n)
    const highs = Number(last >> 32n) - this.#firstHigh + 1
    const count = Math.min(highs, Math.max(1, Math.ceil(expected / keysPerBucket)))
    this.#perHigh = count / highs
    const words = 2 * Math.ceil((expected / count) * slack + 16)
    this.#buckets = Array.from({ length: count }, () => ({ words: new Uint32Array(words), length: 0 }))
  }

  add(keys: BigUint64Array): void {
    const words = wordsOf(keys)
    for (let i = 0; i < words.length; i += 2) {
      const high = words[i + 1]!
      const bucket = this.#buckets[Math.floor((high - this.#firstHigh) * this.#perHigh)]!
      if (bucket.length === bucket.words.length) grow(bucket)
      bucket.words[bucket.length] = words[i]!
      bucket.words[bucket.length + 1] = high
      bucket.length += 2
    }
  }

  /** The ids by ascending order key, once: each bucket's memory is given away with its ids. @param orderSeed of the keys */
  *ids(orderSeed: Seed): Generator<BigUint64Array> {
    for (;;) {
      const bucket = this.#buckets.shift()
      if (bucket === undefined) return
      if (bucket.length === 0) continue
      const column = spreadSort(new BigUint64Array(bucket.words.buffer, 0, bucket.length / 2))
      unmixInPlace(column, orderSeed)
      yield column
    }
  }
}

function grow(bucket: Bucket): void {
  const { words } = bucket
  bucket.words = new Uint32Array(words.length * 2)
  bucket.words.set(words)
}
