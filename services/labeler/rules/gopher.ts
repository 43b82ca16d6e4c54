import { key53 } from '../../../topologies/hash.ts'

import { wordsOf } from './words.ts'

/**
 * Rules of Gopher (Rae et al. 2021, tables A1 and A2) with the published thresholds, as implemented by datatrove's gopher_quality_filter and
 * gopher_repetition_filter. They were made for English web pages. Here word length and stop words are checked for English prose only, and a
 * text without spaces between words, which is segmented by a dictionary and has no articles, needs 40 words instead of 50.
 */

/** A rule that a text breaks, by a stable name, and the measured value. */
export interface Breach {
  readonly rule: string
  readonly value: number
}

export const passed = 'passed'

const stopWords = new Set(['the', 'be', 'to', 'of', 'and', 'that', 'have', 'with'])

/** The maximum share of characters in the most frequent word n-gram, by n. */
const topGramShareMax: readonly (readonly [number, number])[] = [
  [2, 0.2],
  [3, 0.18],
  [4, 0.16],
]
/** The maximum share of characters in repeated word n-grams, by n. */
const repeatedGramShareMax: readonly (readonly [number, number])[] = [
  [5, 0.15],
  [6, 0.14],
  [7, 0.13],
  [8, 0.12],
  [9, 0.11],
  [10, 0.1],
]

interface Rule {
  readonly name: string
  readonly measure: (text: Text) => number
  readonly min?: number
  readonly max?: number
  /** Its bound for text without spaces between words, if different. */
  readonly unspacedMin?: number
  /** Checked for English prose only. */
  readonly english?: true
}

/** What several rules measure. */
interface Text {
  readonly characters: number
  readonly words: readonly string[]
  readonly unspaced: boolean
  /** The words as numbers, equal for equal words. */
  readonly numbers: Int32Array
  /** Total length of the words before each, and of all of them. */
  readonly ends: Uint32Array
  readonly lines: readonly string[]
  readonly paragraphs: readonly string[]
  readonly whole: string
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
const lengthOf = (parts: readonly string[]): number => parts.reduce((sum, part) => sum + part.length, 0)
const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0

function duplicates(parts: readonly string[]): string[] {
  const seen = new Set<string>()
  return parts.filter((part) => {
    const repeated = seen.has(part)
    seen.add(part)
    return repeated
  })
}

/** A 53-bit number for `n` words from `first`: two different n-grams of a text collide once in 10^15. */
function gramAt({ numbers }: Text, first: number, n: number): number {
  let low = 0
  let high = n
  for (let i = first; i < first + n; i++) {
    low = Math.imul(low ^ numbers[i]!, 0x9e3779b1) ^ (low >>> 15)
    high = Math.imul(high + numbers[i]!, 0x85ebca6b) ^ (high >>> 13)
  }
  return key53(high, low)
}

/** Length of the `n` words from `first`, including spaces between them if there are any. */
const gramLength = ({ ends, unspaced }: Text, first: number, n: number): number =>
  ends[first + n]! - ends[first]! + (unspaced ? 0 : n - 1)

function topGramShare(text: Text, n: number): number {
  const counts = new Map<number, number>()
  let top = 0
  for (let i = 0; i + n <= text.words.length; i++) {
    const gram = gramAt(text, i, n)
    const times = (counts.get(gram) ?? 0) + 1
    counts.set(gram, times)
    if (times > 1) top = Math.max(top, times * gramLength(text, i, n))
  }
  return share(top, text.characters)
}

function repeatedGramShare(text: Text, n: number): number {
  const seen = new Set<number>()
  let repeated = 0
  for (let i = 0; i + n <= text.words.length; ) {
    const gram = gramAt(text, i, n)
    if (seen.has(gram)) {
      repeated += gramLength(text, i, n)
      // Words of overlapping repeats count once.
      i += n
    } else {
      seen.add(gram)
      i++
    }
  }
  return share(repeated, text.characters)
}

/** A text's words as numbers, equal for equal words and spread over 32 bits, and where each ends in their concatenation. */
function numbered(words: readonly string[]): Pick<Text, 'numbers' | 'ends'> {
  const known = new Map<string, number>()
  const numbers = new Int32Array(words.length)
  const ends = new Uint32Array(words.length + 1)
  for (const [i, word] of words.entries()) {
    let number = known.get(word)
    if (number === undefined) {
      number = Math.imul(known.size + 1, 0xc2b2ae35)
      known.set(word, number)
    }
    numbers[i] = number
    ends[i + 1] = ends[i]! + word.length
  }
  return { numbers, ends }
}

/** In the order of evaluation, cheap ones first; the first broken rule is the verdict. */
const rules: readonly Rule[] = [
  { name: 'too-few-words', measure: ({ words }) => words.length, min: 50, unspacedMin: 40 },
  { name: 'too-many-words', measure: ({ words }) => words.length, max: 100_000 },
  { name: 'short-words', measure: ({ words }) => share(lengthOf(words), words.length), min: 3, english: true },
  { name: 'long-words', measure: ({ words }) => share(lengthOf(words), words.length), max: 10, english: true },
  { name: 'hashes', measure: ({ whole, words }) => share(count(whole, /#/g), words.length), max: 0.1 },
  { name: 'ellipses', measure: ({ whole, words }) => share(count(whole, /\.\.\.|…/g), words.length), max: 0.1 },
  {
    name: 'bullet-lines',
    measure: ({ lines }) => share(lines.filter((line) => /^\s*[•\-*]/.test(line)).length, lines.length),
    max: 0.9,
  },
  {
    name: 'ellipsis-lines',
    measure: ({ lines }) => share(lines.filter((line) => /(\.\.\.|…)\s*$/.test(line)).length, lines.length),
    max: 0.3,
  },
  {
    name: 'words-without-letters',
    measure: ({ words }) => share(words.filter((word) => /\p{L}/u.test(word)).length, words.length),
    min: 0.8,
  },
  {
    name: 'few-stop-words',
    measure: ({ words }) => new Set(words.map((word) => word.toLowerCase()).filter((word) => stopWords.has(word))).size,
    min: 2,
    english: true,
  },
  { name: 'duplicate-lines', measure: ({ lines }) => share(duplicates(lines).length, lines.length), max: 0.3 },
  {
    name: 'duplicate-paragraphs',
    measure: ({ paragraphs }) => share(duplicates(paragraphs).length, paragraphs.length),
    max: 0.3,
  },
  {
    name: 'duplicate-line-characters',
    measure: ({ lines, characters }) => share(lengthOf(duplicates(lines)), characters),
    max: 0.2,
  },
  {
    name: 'duplicate-paragraph-characters',
    measure: ({ paragraphs, characters }) => share(lengthOf(duplicates(paragraphs)), characters),
    max: 0.2,
  },
  ...topGramShareMax.map(([n, max]) => ({
    name: `top-${n}-gram`,
    measure: (text: Text) => topGramShare(text, n),
    max,
  })),
  ...repeatedGramShareMax.map(([n, max]) => ({
    name: `repeated-${n}-grams`,
    measure: (text: Text) => repeatedGramShare(text, n),
    max,
  })),
]

/** Names of all rules, in order. */
export const ruleNames: readonly string[] = rules.map(({ name }) => name)

/**
 * The first rule that a text breaks; undefined if it passes all. @param isEnglish whether the text is English prose; called at most once, and
 * only if it matters
 */
export function firstBreach(whole: string, isEnglish: (text: string) => boolean): Breach | undefined {
  const { words, unspaced } = wordsOf(whole)
  const text: Text = {
    whole,
    characters: whole.length,
    words,
    unspaced,
    ...numbered(words),
    lines: whole.split(/\n+/).filter((line) => line.trim() !== ''),
    paragraphs: whole.split(/\n{2,}/).filter((paragraph) => paragraph.trim() !== ''),
  }
  let english: boolean | undefined
  for (const rule of rules) {
    const value = rule.measure(text)
    const min = unspaced ? (rule.unspacedMin ?? rule.min) : rule.min
    const broken = (min !== undefined && value < min) || (rule.max !== undefined && value > rule.max)
    if (!broken) continue
    if (rule.english) {
      english ??= isEnglish(whole)
      if (!english) continue
    }
    return { rule: rule.name, value }
  }
  return undefined
}
