import { describe, expect, test } from 'vitest'
import { ContaminationFilter, type EvalTexts } from '../../../topologies/decontamination/filter.ts'
import { simplified } from '../../../topologies/decontamination/words.ts'
import { mix32 } from '../../../topologies/hash.ts'

/** Numbers in [0, n), the same for the same seed. */
function chance(seed: number): (n: number) => number {
  let count = seed
  return (n) => mix32(Math.imul(count++, 0x9e3779b1)) % n
}

/** Words as frequent as words are: the k-th about 1 / k. */
const wordsOf = (next: (n: number) => number, count: number, vocabulary = 20_000): string[] =>
  Array.from({ length: count }, () => `w${Math.floor(vocabulary ** (next(1_000_000) / 1_000_000))}`)

const sentence = 'The quick brown fox jumps over the lazy dog while seventeen small birds watch from a tree'
const evalSet = (items: string[], options: Partial<EvalTexts> = {}): EvalTexts => ({
  ...{ name: 'birds', ngram: 13, share: 0.5, items },
  ...options,
})

describe('words', () => {
  test.each([
    ['case and punctuation', '"Where, then -- is IT?"', 'where then is it'],
    ['accents, composed or not', 'Caf\u00e9 cafe\u0301', 'cafe cafe'],
    ['what cannot be seen', 'co\u00adop\u200berate', 'cooperate'],
    ['forms of the same letter', '\uff21\uff22 x\u00b2', 'ab x2'],
    ['scripts without spaces', '漢字とABC', '漢 字 と abc'],
    ['nothing', ' ... ', ''],
  ])('are compared without %s', (_, text, words) => {
    expect(simplified(text)).toBe(words)
    expect(simplified(words)).toBe(words)
  })
})

describe('a document', () => {
  test('with an item in another case and with other punctuation is contaminated, and the span says where', () => {
    const document = `Some text before it. THE QUICK (brown) fox jumps over the lazy dog, while seventeen small birds watch from a tree! And after.`
    const [found, ...others] = new ContaminationFilter([evalSet(['unrelated '.repeat(20), sentence])]).match(document)
    expect(others).toEqual([])
    expect(found).toMatchObject({ set: 'birds', item: 1, found: 5, of: 5 })
    expect(document.slice(found!.from, found!.to)).toBe(
      'THE QUICK (brown) fox jumps over the lazy dog, while seventeen small birds watch from a tree',
    )
  })

  test('is contaminated from the share of the n-grams on that the set says', () => {
    const words = sentence.split(' ')
    const part = words.slice(0, 14).join(' ')
    const with2Of5 = `Before. ${part} and then something else happens to all of them`
    const at = (share: number) => new ContaminationFilter([evalSet([sentence], { share })]).match(with2Of5)
    expect(at(0.5)).toEqual([])
    expect(at(0.4)).toMatchObject([{ found: 2, of: 5 }])
    expect(at(0)).toMatchObject([{ found: 2, of: 5 }])
  })

  test('shows the item of which it has most, for each set that it has something of', () => {
    const items = [sentence.split(' ').slice(0, 15).join(' ').concat(' one two three four'), sentence]
    const filter = new ContaminationFilter([
      evalSet(items, { share: 0.2 }),
      evalSet(['nothing of this kind is there in any of all these many documents']),
      evalSet([sentence], { name: 'other', ngram: 8 }),
    ])
    expect(filter.match(sentence)).toMatchObject([
      { set: 'birds', item: 1, found: 5, of: 5 },
      { set: 'other', item: 0, found: 10, of: 10 },
    ])
  })

  test('with an item shorter than an n-gram is contaminated if all of it is there; shorter ones are not looked for', () => {
    const nine = sentence.split(' ').slice(0, 9).join(' ')
    const seven = sentence.split(' ').slice(0, 7).join(' ')
    const filter = new ContaminationFilter([evalSet([seven, nine])])
    expect(filter.items).toBe(1)
    expect(filter.match(`well, ${nine} indeed`)).toMatchObject([{ item: 1, found: 1, of: 1 }])
    expect(filter.match(`well, ${seven} indeed`)).toEqual([])
  })

  test('with words of the same hash in the place of an item is not contaminated', () => {
    // FNV-1a of 32 bits does not tell them apart: found by trying.
    const [a, b] = ['k4uzx', 'kf2ad']
    const around = sentence.split(' ')
    const item = [...around.slice(0, 6), a, ...around.slice(6, 12)].join(' ')
    const other = [...around.slice(0, 6), b, ...around.slice(6, 12)].join(' ')
    const filter = new ContaminationFilter([evalSet([item])])
    expect(filter.match(item)).toHaveLength(1)
    expect(filter.match(other)).toEqual([])
    expect(new ContaminationFilter([evalSet([item, other])]).match(other)).toMatchObject([{ item: 1 }])
  })
})

/** The definition, with sets of strings. */
function naive({ items, ngram, share }: EvalTexts, document: string): number[] {
  const grams = (text: string, n: number) => {
    const words = simplified(text).split(' ')
    return new Set(words.slice(0, Math.max(0, words.length - n + 1)).map((_, i) => words.slice(i, i + n).join(' ')))
  }
  return items.flatMap((item, number) => {
    const words = simplified(item).split(' ').length
    const n = words >= ngram ? ngram : words >= 8 ? words : 0
    if (n === 0) return []
    const of = grams(item, n)
    const there = grams(document, n)
    const count = [...of].filter((one) => there.has(one)).length
    return count > 0 && count >= share * of.size ? [number] : []
  })
}

test('what is found is what comparing all n-grams as strings finds', () => {
  const next = chance(7)
  let contaminated = 0
  for (let trial = 0; trial < 300; trial++) {
    // Few words, so that n-grams repeat in and between items.
    const items = Array.from({ length: 4 }, () => wordsOf(next, 3 + next(20), 4).join(' '))
    const set = evalSet(items, { ngram: 5 + next(6), share: next(5) / 4 })
    const document = wordsOf(next, next(400), 4).join(next(2) === 0 ? ' ' : ', ')
    const expected = naive(set, document)
    const found = new ContaminationFilter([set]).match(document)
    expect(found.length).toBe(expected.length === 0 ? 0 : 1)
    if (found.length > 0) expect(expected).toContain(found[0]!.item)
    contaminated += found.length
  }
  expect(contaminated).toBeGreaterThan(30)
  expect(contaminated).toBeLessThan(270)
})

test('of items planted in one document in a thousand all are found, and nothing else, though others share phrases with them', () => {
  const next = chance(11)
  const template = wordsOf(next, 20)
  const items = Array.from({ length: 500 }, () => [...template, ...wordsOf(next, 20 + next(60))].join(' '))
  const filter = new ContaminationFilter([evalSet(items)])
  let [planted, found, right] = [0, 0, 0]
  for (let d = 0; d < 20_000; d++) {
    const words = wordsOf(next, 50 + next(100))
    const isPlanted = d % 1000 === 500
    // Instructions that all items begin with, and a sentence of an item, are in others as well.
    if (d % 50 === 1) words.splice(next(words.length), 0, ...template)
    if (d % 50 === 2) words.splice(next(words.length), 0, ...items[next(500)]!.split(' ').slice(20, 34))
    const item = next(500)
    if (isPlanted) words.splice(next(words.length), 0, items[item]!.toUpperCase().replaceAll(' ', '  '))
    const matches = filter.match(words.join(' '))
    planted += isPlanted ? 1 : 0
    found += matches.length
    if (isPlanted && matches[0]?.item === item) right++
  }
  expect(planted).toBe(20)
  expect({ recall: right / planted, precision: right / found }).toEqual({ recall: 1, precision: 1 })
})
