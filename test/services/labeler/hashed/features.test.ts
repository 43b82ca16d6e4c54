import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  FeatureExtractor,
  type FeatureSpec,
  surfaceCount,
  surfaceNames,
} from '../../../../services/labeler/hashed/features.ts'

const spec: FeatureSpec = { characters: 3000, bits: 16, wordGrams: 2, characterGrams: [] }

/** Counts by row. */
function countsOf(text: string, options: Partial<FeatureSpec> = {}, kept?: Uint32Array): Map<number, number> {
  const extractor = new FeatureExtractor({ ...spec, ...options }, kept)
  extractor.extract(text)
  return new Map(Array.from({ length: extractor.size }, (_, i) => [extractor.rows[i]!, extractor.counts[i]!]))
}

const sorted = (counts: Map<number, number>) => [...counts].sort(([a], [b]) => a - b)
const surfaceOf = (text: string, wholeLength?: number) => {
  const extractor = new FeatureExtractor(spec)
  extractor.extract(text, wholeLength)
  return Object.fromEntries(surfaceNames.map((name, i) => [name, extractor.surface[i]]))
}

describe('hashed n-grams', () => {
  it('count words regardless of case, spaces and line breaks', () => {
    expect(sorted(countsOf('A cat, a CAT', { wordGrams: 1 }))).toEqual(
      sorted(countsOf('a\ncat ,\t a  cat', { wordGrams: 1 })),
    )
    expect([...countsOf('a cat , a cat', { wordGrams: 1 }).values()]).toEqual([2, 2, 1])
  })

  it('distinguish two words from the same words reversed', () => {
    expect(sorted(countsOf('dog bites man'))).not.toEqual(sorted(countsOf('man bites dog')))
    expect(sorted(countsOf('dog bites man', { wordGrams: 1 }))).toEqual(
      sorted(countsOf('man bites dog', { wordGrams: 1 })),
    )
  })

  it('of characters stay within words, including their boundaries', () => {
    // <ab> has the trigrams <ab and ab>; <c> is one.
    expect([...countsOf('ab c', { wordGrams: 0, characterGrams: [3] }).values()]).toEqual([1, 1, 1])
    expect(countsOf('ab c', { wordGrams: 0, characterGrams: [5] }).size).toBe(0)
  })

  it('are counted by row if a model keeps only some', () => {
    const [first, second, third] = [...countsOf('one two three two', { wordGrams: 1 }).keys()]
    const kept = Uint32Array.of(third!, second!)
    expect(first).not.toBe(second)
    expect([...countsOf('one two three two', { wordGrams: 1 }, kept)]).toEqual([
      [1, 2],
      [0, 1],
    ])
  })

  it('are the same for a text as for its prefix that is read', () => {
    const text = 'some words and more '.repeat(1000)
    expect(sorted(countsOf(text))).toEqual(sorted(countsOf(text.slice(0, 3000))))
  })

  it('do not depend on earlier texts, for any sequence of UTF-16 units', () => {
    const anyUnits = fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 300 })
      .map((units) => String.fromCharCode(...units))
    const used = new FeatureExtractor(spec)
    fc.assert(
      fc.property(anyUnits, (text) => {
        used.extract(text)
        const again = new Map(Array.from({ length: used.size }, (_, i) => [used.rows[i]!, used.counts[i]!]))
        expect(again).toEqual(countsOf(text))
        expect([...used.surface].every(Number.isFinite)).toBe(true)
      }),
      { numRuns: 25 },
    )
  })
})

describe('surface features', () => {
  it('are shares of the code units that were read', () => {
    expect(surfaceOf('Ab 12.\n')).toEqual({
      logLength: Math.log1p(7),
      letters: 2 / 7,
      capitals: 1 / 7,
      digits: 2 / 7,
      spaces: 2 / 7,
      lines: 1 / 7,
      punctuation: 1 / 7,
      foreign: 0,
      wordLength: 2,
      variety: 1,
    })
  })

  it('are zero for an empty text, and include the length of the whole document', () => {
    expect(Object.values(surfaceOf(''))).toEqual(new Array(surfaceCount).fill(0))
    expect(surfaceOf('abc', 10_000_000).logLength).toBeCloseTo(16.118, 3)
  })
})
