import { mix32 } from '../../../topologies/hash.ts'

/** Characters of a shingle, as in SlimPajama's published code (Soboleva et al. 2023, modelzoo, slimpajama/dedup/to_hash.py). */
const shingleCharacters = 13

const asciiPunctuation = /[!-/:-@[-`{-~]+/g

/** As there: lower case, ASCII punctuation removed, white space collapsed; first put into Unicode's compatibility form. */
const simplified = (text: string): string =>
  text.normalize('NFKC').toLowerCase().replace(asciiPunctuation, '').replace(/\s+/g, ' ').trim()

/** Odd, so that no bit of a character is lost. */
const base = 0x2c1b3c6d
/** base to the power of shingleCharacters: the weight of the character that leaves the window. */
const leaving = Array.from({ length: shingleCharacters }).reduce((power: number) => Math.imul(power, base), 1)

/**
 * Calls `visit` with a 32-bit hash for every run of 13 characters (UTF-16 code units) of a text, by a rolling polynomial. A shorter text is a
 * single run; a text of punctuation alone has none. Does not rely on spaces, so Chinese, Japanese and Thai are compared like English.
 */
export function forEachShingle(text: string, visit: (hash: number) => void): void {
  const characters = simplified(text)
  const { length } = characters
  if (length === 0) return
  let hash = 0
  for (let i = 0; i < length; i++) {
    // A code of 0 would make texts of NUL characters alike whatever their length.
    hash = (Math.imul(hash, base) + characters.charCodeAt(i) + 1) | 0
    if (i >= shingleCharacters) hash = (hash - Math.imul(characters.charCodeAt(i - shingleCharacters) + 1, leaving)) | 0
    if (i >= shingleCharacters - 1) visit(mix32(hash))
  }
  if (length < shingleCharacters) visit(mix32(hash))
}
