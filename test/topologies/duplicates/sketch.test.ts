import { describe, expect, test } from 'vitest'
import { asDocumentId, type DocumentId } from '../../../schemas/index.ts'
import { shareFound } from '../../../topologies/duplicates/bands.ts'
import { crowdRanks } from '../../../topologies/duplicates/crowds.ts'
import { Sketcher, sketchConfigOf, sketchDefaults, sketchVersion } from '../../../topologies/duplicates/sketch.ts'
import { Seeded } from '../../support/seeded.ts'

const sketcher = new Sketcher(sketchDefaults)

/** Words as frequent as words are: the k-th about 1 / k. */
const wordsOf = (random: Seeded, count: number): string[] =>
  Array.from({ length: count }, () => `w${Math.floor(20_000 ** random.next())}`)

/** With every `every`-th word another one. */
const changed = (words: readonly string[], every: number, mark: string): string[] =>
  words.map((word, i) => (i % every === every >> 1 ? `${mark}${i}` : word))

const collide = (a: readonly number[], b: readonly number[]): boolean => a.some((key, band) => b[band] === key)

describe('a sketch', () => {
  test.each([
    [
      'case, punctuation and line breaks',
      'The quick, brown fox\njumps over the lazy dog.',
      'the QUICK brown fox jumps: over the lazy dog',
    ],
    ['accents and their forms', 'Caf\u00e9 au lait pour tous les amis', 'cafe\u0301 au lait pour tous les amis'],
    ['spaces between Chinese letters', '漢字漢字漢字漢字', '漢 字 漢 字 漢 字 漢 字'],
    ['the length of spaces in a text of fewer words than a shingle', 'two  words', 'Two words!'],
  ])('is the same without %s', (_, text, same) => {
    expect(sketcher.keysOf(text)).toEqual(sketcher.keysOf(same))
    expect(sketcher.keysOf(text)).toHaveLength(14)
  })

  test('of a text without words is empty, and of other words or another order another one', () => {
    for (const text of ['', ' \n', '!!! --- ???']) expect(sketcher.keysOf(text)).toEqual([])
    const keys = sketcher.keysOf('one two three four five six seven')
    for (const other of ['one', 'seven six five four three two one', 'nothing of all this'])
      expect(collide(keys, sketcher.keysOf(other))).toBe(false)
  })

  test('never changes: stored ones are compared with it', () => {
    expect(sketcher.keysOf('The quick brown fox jumps over the lazy dog').slice(0, 3)).toMatchInlineSnapshot(`
      [
        6520313952909165,
        4525354723305711,
        8544405623522571,
      ]
    `)
    expect(new Sketcher({ words: 2, bands: 2, rows: 1, seed: 7 }).keysOf('a b c')).toMatchInlineSnapshot(`
      [
        7494966318533129,
        6184828588702466,
      ]
    `)
  })

  test('has integers that JSON and Avro hold exactly, of every band another one', () => {
    const random = new Seeded(3)
    for (let n = 0; n < 200; n++) {
      const keys = sketcher.keysOf(wordsOf(random, 1 + random.below(300)).join(' '))
      expect(keys.every((key) => Number.isSafeInteger(key) && key >= 0)).toBe(true)
      expect(new Set(keys).size).toBe(14)
    }
  })

  test('is called by its configuration, and read back from its name', () => {
    expect(sketchVersion(sketchDefaults)).toBe('w5b14r8s1')
    const other = { words: 13, bands: 20, rows: 450, seed: 0 }
    expect(sketchConfigOf(sketchVersion(other))).toEqual(other)
    for (const name of ['', 'w5b14r8', 'w0b1r1s1', 'v1']) expect(() => sketchConfigOf(name)).toThrow(RangeError)
  })
})

describe('pairs of documents', () => {
  test.each([1, 2, 3])('share a band as often as MinHash says for their similarity, with seed %d', (seed) => {
    const ofSeed = new Sketcher({ ...sketchDefaults, seed })
    // 400 words, of which the first are the same: 396 - n of the shingles of each are common, and the others are not.
    for (const common of [300, 350, 380]) {
      const similarity = (common - 4) / (2 * 396 - (common - 4))
      const pairs = 150
      let found = 0
      for (let n = 0; n < pairs; n++) {
        const text = (mark: string) =>
          Array.from({ length: 400 }, (_, i) => `${i < common ? '' : mark}${n}x${i}`).join(' ')
        if (collide(ofSeed.keysOf(text('a')), ofSeed.keysOf(text('b')))) found++
      }
      const share = shareFound(similarity, { bands: 14, rowsPerBand: 8 })
      // Five standard deviations.
      expect(Math.abs(found / pairs - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / pairs) + 0.01)
    }
  })

  test.each([1, 2, 3, 4, 5])(
    'that are near duplicates are found among others, and no others, whatever order they come in: seed %d',
    (seed) => {
      const random = new Seeded(seed)
      const texts: { id: DocumentId; text: string; of: number | undefined }[] = []
      const ids = Array.from({ length: 800 }, (_, n) => asDocumentId(BigInt(n * 7)))
      const originals = Array.from({ length: 700 }, () => wordsOf(random, 200 + random.below(300)))
      for (const [n, words] of originals.entries()) texts.push({ id: ids[n]!, text: words.join(' '), of: undefined })
      for (let n = 700; n < 800; n++) {
        // Half are copies of which one word in a hundred is another, half have a third of their text from elsewhere.
        const of = random.below(700)
        const words = originals[of]!
        const isNear = n % 2 === 0
        const copy = isNear
          ? changed(words, 100, 'other')
          : [...words.slice(0, words.length / 3), ...wordsOf(random, 300)]
        texts.push({ id: ids[n]!, text: copy.join(' '), of: isNear ? of : undefined })
      }
      const order = texts.map((one) => [random.next(), one] as const).sort(([a], [b]) => a - b)
      const ranks = crowdRanks(order.map(([, { id, text }]) => [id, sketcher.keysOf(text)] as const))
      const planted = texts.filter(({ of }) => of !== undefined).map(({ id }) => id)
      expect([...ranks.keys()].sort((a, b) => (a < b ? -1 : 1))).toEqual(planted)
    },
  )
})
