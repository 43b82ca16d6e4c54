import { type Found, Ngrams } from './ngrams.ts'
import { Words } from './words.ts'

/** An evaluation set as documents are compared with it. */
export interface EvalTexts {
  readonly name: string
  /** Words of an n-gram; an item of fewer words is a single one. */
  readonly ngram: number
  /** A document is contaminated that has this share of an item's different n-grams, and at least one; 0: one is enough (GPT-3). */
  readonly share: number
  readonly items: readonly string[]
}

/** What a document has of an evaluation set: its item with the largest share. */
export interface Contamination {
  readonly set: string
  /** Number of the item, from 0. */
  readonly item: number
  /** Of the item's different n-grams, those that are in the document. */
  readonly found: number
  readonly of: number
  /** The longest stretch of the document, in UTF-16 units, that is a stretch of the item. */
  readonly from: number
  readonly to: number
}

/** Items of fewer words are not looked for: they would be found in what has never seen them (Brown et al. 2020, appendix C). */
export const wordsMin = 8

/** How many words of an item make an n-gram; 0: it has too few to be looked for. */
export function ngramOf(words: number, ngram: number): number {
  if (words >= ngram) return ngram
  return words >= wordsMin ? words : 0
}

interface Item {
  readonly set: number
  readonly number: number
  readonly ngrams: number
}

/**
 * Looks for items of evaluation sets in documents (docs/decontamination.md): an item is in a document if enough of its n-grams are, which are compared word
 * by word. The same sets make the same filter, wherever it is built.
 */
export class ContaminationFilter {
  readonly #sets: readonly EvalTexts[]
  readonly #items: Item[] = []
  readonly #byLength = new Map<number, Ngrams>()
  readonly #words = new Words()

  constructor(sets: readonly EvalTexts[]) {
    this.#sets = sets
    for (const [set, { items, ngram }] of sets.entries()) {
      for (const [number, text] of items.entries()) {
        const length = ngramOf(this.#words.read(text).count, ngram)
        if (length === 0) continue
        const ngrams = this.#byLength.get(length) ?? new Ngrams(length)
        this.#byLength.set(length, ngrams)
        this.#items.push({ set, number, ngrams: ngrams.add(this.#items.length, text) })
      }
    }
  }

  /** How many items can be found. */
  get items(): number {
    return this.#items.length
  }

  /** What a document has of the sets, in their order; of most there is nothing. */
  match(text: string): Contamination[] {
    const words = this.#words.read(text)
    const best = new Map<number, Contamination>()
    for (const [length, ngrams] of this.#byLength) {
      for (const [item, found] of Map.groupBy(ngrams.in(text, words), (one) => one.item)) {
        const { set, number, ngrams: of } = this.#items[item]!
        const count = new Set(found.map(({ ngram }) => ngram)).size
        if (count < this.#sets[set]!.share * of) continue
        const known = best.get(set)
        if (known !== undefined && known.found / known.of >= count / of) continue
        const { first, last } = longest(found)
        const [from, to] = [words.starts[first]!, words.ends[last + length - 1]!]
        best.set(set, { set: this.#sets[set]!.name, item: number, found: count, of, from, to })
      }
    }
    return [...best].sort(([a], [b]) => a - b).map(([, contamination]) => contamination)
  }
}

/** The longest run of n-grams that follow each other: the words that its first and its last begin with. @param found of one item, in the document's order */
function longest(found: readonly Found[]): { first: number; last: number } {
  let run = { first: found[0]!.word, last: found[0]!.word }
  let best = run
  for (const { word } of found) {
    run = word <= run.last + 1 ? { ...run, last: word } : { first: word, last: word }
    if (run.last - run.first > best.last - best.first) best = run
  }
  return best
}
