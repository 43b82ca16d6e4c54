import { hash } from 'node:crypto'

/** Buckets of the authors' package. */
export const bucketCount = 10_000

/**
 * As NLTK 3.10's WordPunctTokenizer cuts: runs of word characters, and runs of anything else but white space, both as Unicode defines them
 * (UTS #18, annex C). Earlier releases cut combining marks off, which matters to scripts that write vowels with them.
 */
const word = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}`
const tokenPattern = new RegExp(String.raw`[${word}]+|[^${word}\p{White_Space}]+`, 'gu')

/** The tokens of a text. Lone surrogates, which UTF-8 does not have, are U+FFFD. */
export const wordPunct = (text: string): string[] => text.toWellFormed().toLowerCase().match(tokenPattern) ?? []

/** SHA-256 of the n-gram in UTF-8, as a big-endian number, mod 10,000. hash_buckets in hashed_ngram_dsir.py. */
export function bucketOf(gram: string): number {
  const digest = hash('sha256', gram, 'buffer')
  let rest = 0
  // A rest below 10,000 and the next 32 bits are below 2^53.
  for (let at = 0; at < 32; at += 4) rest = (rest * 2 ** 32 + digest.readUInt32BE(at)) % bucketCount
  return rest
}

/** n-grams whose buckets are remembered; later ones are hashed each time. */
const remembered = 500_000

/** Counts the hashed uni- and bigrams of texts (get_ngram_counts with n = 2). */
export class NgramCounter {
  readonly #known = new Map<string, number>()

  /** Adds the counts of a text to `counts`, of which there is one a bucket. @returns the number of n-grams */
  add(text: string, counts: Float64Array): number {
    const tokens = wordPunct(text)
    let before: string | undefined
    for (const token of tokens) {
      counts[this.#bucket(token)]! += 1
      if (before !== undefined) counts[this.#bucket(`${before} ${token}`)]! += 1
      before = token
    }
    return Math.max(0, 2 * tokens.length - 1)
  }

  #bucket(gram: string): number {
    const known = this.#known.get(gram)
    if (known !== undefined) return known
    const bucket = bucketOf(gram)
    if (this.#known.size < remembered) this.#known.set(gram, bucket)
    return bucket
  }
}
