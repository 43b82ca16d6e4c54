import { describe, expect, it } from 'vitest'
import { DuplicateIndex } from '../../../../services/ingest/duplicates/index.ts'
import { forEachShingle } from '../../../../services/ingest/duplicates/shingles.ts'
import { bandingFor, bandKeys, shareFound } from '../../../../topologies/duplicates/bands.ts'
import { MinHash, similarity } from '../../../../topologies/duplicates/minhash.ts'

const minhash = new MinHash(112)
function signatureOf(text: string): Uint32Array | undefined {
  forEachShingle(text, (hash) => minhash.add(hash))
  return minhash.end()
}

/** Words that no two numbers share, so that texts are as alike as the numbers they are made of. */
const prose = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `word${from + i}`).join(' ')

/** Sets of runs of 13 characters, read literally from SlimPajama's published code. */
function jaccard(first: string, second: string): number {
  const [a, b] = [first, second].map((text) => {
    const characters = text
      .toLowerCase()
      .replace(/[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g, '')
      .replace(/\s+/g, ' ')
      .trim()
    return new Set(Array.from({ length: characters.length - 12 }, (_, i) => characters.slice(i, i + 13)))
  })
  const common = [...a!].filter((run) => b!.has(run)).length
  return common / (a!.size + b!.size - common)
}

/** 300 words of English of which five are changed, and over 1,000 characters of Chinese of which one is. */
const english = Array.from({ length: 300 }, (_, i) => wordAt(i))
const nearEnglish = english.map((word, i) => (i % 60 === 30 ? 'changed' : word))
const chinese = Array.from({ length: 1045 }, (_, i) => String.fromCharCode(0x4e00 + ((i * 7919) % 3001))).join('')
const nearChinese = `${chinese.slice(0, 500)}好${chinese.slice(501)}`

function wordAt(i: number): string {
  const words =
    'river town people market house school field paper light number history water letters company study'.split(' ')
  return words[(i * i + 3 * i) % 15]! + (i % 4 === 0 ? `${words[i % 15]}s` : '')
}

describe('signatures', () => {
  it.each([
    [prose(0, 1012), prose(500, 1512)],
    [prose(0, 300), prose(20, 320)],
    [prose(0, 20), prose(4, 24)],
    [english.join(' '), nearEnglish.join(' ')],
    [chinese, nearChinese],
    ['A short text.', 'A short text, too.'],
  ])('estimate the Jaccard similarity of the sets of runs of 13 characters: %.20s', (a, b) => {
    const estimated = similarity(signatureOf(a)!, signatureOf(b)!)
    // Four standard deviations at a similarity of a half.
    expect(Math.abs(estimated - jaccard(a, b))).toBeLessThan(0.19)
  })

  it('are equal for equal texts, and have nothing in common for others', () => {
    expect(similarity(signatureOf(prose(0, 500))!, signatureOf(prose(0, 500))!)).toBe(1)
    expect(similarity(signatureOf(chinese)!, signatureOf(prose(0, 500))!)).toBe(0)
  })

  it('are unbiased: the mean over many pairs is the similarity', () => {
    const pairs = Array.from({ length: 60 }, (_, i) => [
      prose(i * 1000, i * 1000 + 60),
      prose(i * 1000 + 10, i * 1000 + 70),
    ])
    const errors = pairs.map(([a, b]) => similarity(signatureOf(a!)!, signatureOf(b!)!) - jaccard(a!, b!))
    expect(Math.abs(errors.reduce((sum, error) => sum + error, 0) / errors.length)).toBeLessThan(0.025)
  })

  it('ignore case, punctuation and line breaks', () => {
    const a = signatureOf('The quick, brown fox\njumps over the lazy dog.')!
    expect(signatureOf('the quick brown fox jumps over the LAZY dog')).toEqual(a)
    expect(bandKeys(a, bandingFor(0.8, 112)).every(Number.isSafeInteger)).toBe(true)
  })

  it.each([[''], [' \n'], ['!!! --- ???']])('are missing for %j, which has no characters to compare', (text) => {
    expect(signatureOf(text)).toBeUndefined()
  })
})

describe('bands', () => {
  it.each([0.3, 0.5, 0.7, 0.8, 0.9, 0.95])(
    'find nine in ten pairs of similarity %d, and nearly all that are more alike',
    (least) => {
      const banding = bandingFor(least, 112)
      expect(banding.bands * banding.rowsPerBand).toBeLessThanOrEqual(112)
      expect(shareFound(least, banding)).toBeGreaterThanOrEqual(0.9)
      expect(shareFound(Math.min(1, least + 0.1), banding)).toBeGreaterThan(0.999)
    },
  )

  it("are FineWeb's for 0.8", () => {
    expect(bandingFor(0.8, 112)).toEqual({ bands: 14, rowsPerBand: 8 })
  })
})

describe('the index of duplicates', () => {
  const at = (line: number) => ({ file: 0, line })

  it('keeps the first of exact duplicates, and of near ones if requested', () => {
    const near = `${prose(0, 600)} end`
    for (const nearSimilarity of [undefined, 0.8]) {
      const index = new DuplicateIndex({ nearSimilarity })
      expect(index.add(prose(0, 600), at(0))).toBeUndefined()
      expect(index.add(prose(0, 600), at(1))).toEqual({ reason: 'exact-duplicate', of: at(0), similarity: 1 })
      expect(index.add(prose(1000, 1600), at(2))).toBeUndefined()
      const found = index.add(near, at(3))
      if (nearSimilarity === undefined) expect(found).toBeUndefined()
      else expect(found).toMatchObject({ reason: 'near-duplicate', of: at(0), similarity: expect.closeTo(1, 1) })
    }
  })

  it.each([
    ['English, of which five words in 300 are changed', english.join(' '), nearEnglish.join(' ')],
    ['Chinese, of which one character in 1,045 is changed', chinese, nearChinese],
  ])('finds near duplicates in %s', (_, text, changed) => {
    const index = new DuplicateIndex({ nearSimilarity: 0.8 })
    expect(index.add(text, at(0))).toBeUndefined()
    expect(index.add(changed, at(1))).toMatchObject({ reason: 'near-duplicate', of: at(0) })
    expect(index.add(changed, at(2))).toMatchObject({ reason: 'exact-duplicate', of: at(0) })
  })

  it('finds each of many documents again, even if they share bands', () => {
    const index = new DuplicateIndex({ nearSimilarity: 0.5 })
    for (let i = 0; i < 50; i++) expect(index.add(prose(i * 60, i * 60 + 100), at(i)) ?? at(i)).toEqual(at(i))
    for (let i = 0; i < 50; i++)
      expect(index.add(`${prose(i * 60, i * 60 + 100)} end`, at(99))).toMatchObject({
        reason: 'near-duplicate',
        of: at(i),
      })
  })

  it('keeps texts that are less similar than the threshold', () => {
    const index = new DuplicateIndex({ nearSimilarity: 0.8 })
    index.add(prose(0, 600), at(0))
    expect(index.add(prose(200, 800), at(1))).toBeUndefined()
  })

  it.each([['', '\ud800', '\u0000'.repeat(100), 'x'.repeat(100_000)]])('takes any text', (...texts) => {
    const index = new DuplicateIndex({ nearSimilarity: 0.8 })
    for (const [line, text] of texts.entries()) expect(index.add(text, at(line))).toBeUndefined()
    for (const [line, text] of texts.entries()) expect(index.add(text, at(9))).toMatchObject({ of: at(line) })
  })
})
