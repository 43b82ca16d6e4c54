/** Words of a shingle, bands and rows of a band: SlimPajama's (Soboleva et al. 2023), made for a Jaccard similarity of 0.8. */
export const shingleWords = 13
export const bands = 9
export const rowsPerBand = 13
export const signatureLength = bands * rowsPerBand

const fnvOffset = 0x811c9dc5 | 0
const fnvPrime = 0x01000193

/** MurmurHash3's finaliser: spreads 32 bits evenly. */
function mix(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** One hash function a row of the signature: multiply and add, then mix; fixed, so that signatures of any two runs compare. */
const multipliers = Uint32Array.from({ length: signatureLength }, (_, i) => mix(2 * i + 1) | 1)
const addends = Uint32Array.from({ length: signatureLength }, (_, i) => mix(0x9e3779b9 + i))

/** Letters and digits in lower case, in Unicode's compatibility form: what is left of a text that is copied, wrapped and typeset anew. */
function hashedWords(text: string): Uint32Array {
  const words =
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
  return Uint32Array.from(words, (word) => {
    let hash = fnvOffset
    for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), fnvPrime)
    return mix(hash)
  })
}

/**
 * The MinHash signature of a text (Broder 1997): the share of equal rows of two signatures estimates the Jaccard similarity of their sets of
 * word shingles. A text of fewer words is one shingle; one without words has no signature.
 */
export function signatureOf(text: string): Uint32Array | undefined {
  const words = hashedWords(text)
  if (words.length === 0) return undefined
  const signature = new Uint32Array(signatureLength).fill(0xffffffff)
  const last = Math.max(0, words.length - shingleWords)
  for (let first = 0; first <= last; first++) {
    let shingle = fnvOffset
    for (let i = first; i < Math.min(words.length, first + shingleWords); i++)
      shingle = mix(Math.imul(shingle, fnvPrime) ^ words[i]!)
    for (let row = 0; row < signatureLength; row++) {
      const hash = mix(Math.imul(shingle, multipliers[row]!) + addends[row]!)
      if (hash < signature[row]!) signature[row] = hash
    }
  }
  return signature
}

/** Estimated Jaccard similarity. */
export function similarity(a: Uint32Array, b: Uint32Array): number {
  let equal = 0
  for (let row = 0; row < signatureLength; row++) if (a[row] === b[row]) equal++
  return equal / signatureLength
}

/** A number of 53 bits for each band of a signature: documents that share one are candidates. */
export function bandKeys(signature: Uint32Array): number[] {
  return Array.from({ length: bands }, (_, band) => {
    let low = fnvOffset
    let high = band
    for (let row = band * rowsPerBand; row < (band + 1) * rowsPerBand; row++) {
      low = mix(Math.imul(low, fnvPrime) ^ signature[row]!)
      high = mix(Math.imul(high, 0x9e3779b1) ^ signature[row]!)
    }
    return (high >>> 11) * 2 ** 32 + low
  })
}
