import type { Corpus, Cut } from './corpus.ts'
import { drawInPlace, key, sortByKey, undrawInPlace } from './draw.ts'
import { GroupTable } from './group-table.ts'
import type { Group } from './groups.ts'
import { IdIndex } from './id-index.ts'
import { sortByOrderKey, wordsOf } from './mix.ts'
import type { Remaining } from './plan.ts'
import { timesRead } from './reads.ts'

/** Ids in a chunk of `emit`: half a megabyte. */
const chunkIds = 65_536

const columnFirst = 1024

/**
 * A corpus in columns outside the JavaScript heap, about 40 bytes a document: ten million in well under 2 GB. Documents are numbered in
 * order of addition. Sorts no more than what is cut or emitted.
 */
export class MemoryCorpus implements Corpus {
  readonly #index = new IdIndex()
  readonly #table: GroupTable
  #groupOf = new Uint32Array(columnFirst)
  #tokens = new Float64Array(columnFirst)

  /** @param sizes subcategories of each actor, in configuration order */
  constructor(sizes: readonly number[]) {
    this.#table = new GroupTable(sizes)
  }

  get size(): number {
    return this.#index.size
  }

  /** Adds a document given by its id's words. @returns false, and nothing changed, where the corpus has it already */
  addWords(low: number, high: number, tokens: number, labels: ArrayLike<number>): boolean {
    const number = this.#index.add(low, high)
    if (number === -1) return false
    if (number === this.#tokens.length) {
      this.#groupOf = new Uint32Array(this.#groupOf.buffer.transfer(this.#groupOf.byteLength * 2))
      this.#tokens = new Float64Array(this.#tokens.buffer.transfer(this.#tokens.byteLength * 2))
    }
    const group = this.#table.number(labels, 0)
    this.#table.add(group, tokens)
    this.#groupOf[number] = group
    this.#tokens[number] = tokens
    return true
  }

  add(id: bigint, tokens: number, labels: ArrayLike<number>): boolean {
    return this.addWords(Number(id & 0xffffffffn), Number(id >> 32n), tokens, labels)
  }

  /** The number of a document, -1 where it is unknown. */
  find(low: number, high: number): number {
    return this.#index.find(low, high)
  }

  /** The id of document `number`. */
  idOf(number: number): bigint {
    return this.#index.idAt(number)
  }

  /** The subcategories of document `number`. */
  labelsOf(number: number): readonly number[] {
    return this.#table.all[this.#groupOf[number]!]!.labels
  }

  /**
   * Counts what a trainer read of a selection: `ids` are its documents from global index `indexFirst` on.
   * @param documents the whole selection's
   * @param passed how many the trainer has passed
   */
  addReads(ids: BigUint64Array, indexFirst: number, documents: number, passed: number): void {
    const words = wordsOf(ids)
    for (let i = 0; i < ids.length; i++) {
      const times = timesRead(indexFirst + i, documents, passed)
      if (times === 0) return
      const number = this.#index.find(words[i * 2]!, words[i * 2 + 1]!)
      this.#groupOf[number] = this.#table.moveByReads(this.#groupOf[number]!, times, this.#tokens[number]!)
    }
  }

  async groups(): Promise<Group[]> {
    return this.#table.all.filter((group) => group.documents > 0).map((group) => ({ ...group }))
  }

  async sample(actorIndex: number, subcategory: number, seed: bigint, count: number): Promise<bigint[]> {
    const groups = this.#table.all.filter((group) => group.labels[actorIndex] === subcategory && group.documents > 0)
    return [...sortByKey(this.#idsOf(groups), seed).subarray(0, count)]
  }

  async cut(groups: readonly Group[], seed: bigint, remaining: Remaining): Promise<Cut> {
    const ids = sortByKey(this.#idsOf(groups), seed)
    const words = wordsOf(ids)
    const documentsMax = 'documents' in remaining ? remaining.documents : Number.POSITIVE_INFINITY
    const tokensMin = 'tokens' in remaining ? remaining.tokens : Number.POSITIVE_INFINITY
    let documents = 0
    let tokens = 0
    while (documents < ids.length && documents < documentsMax && tokens < tokensMin) {
      tokens += this.#tokens[this.#index.find(words[documents * 2]!, words[documents * 2 + 1]!)]!
      documents += 1
    }
    const keyLast = documents === 0 ? null : key(ids[documents - 1]!, seed)
    return { groups, seed, keyLast, documents, tokens }
  }

  async *emit(whole: readonly Group[], cut: Cut, orderSeed: bigint): AsyncGenerator<BigUint64Array> {
    const ids = sortByOrderKey(this.#idsOf(whole, this.#idsOfCut(cut)), orderSeed)
    for (let first = 0; first < ids.length; first += chunkIds) yield ids.subarray(first, first + chunkIds)
  }

  #idsOfCut({ groups, seed, keyLast }: Cut): BigUint64Array {
    if (keyLast === null) return new BigUint64Array(0)
    const ids = this.#idsOf(groups)
    drawInPlace(ids, seed)
    const taken = upTo(ids, keyLast)
    undrawInPlace(taken, seed)
    return taken
  }

  /** The ids of all documents of these groups, in order of addition, and then those of `more`; a new column. */
  #idsOf(groups: readonly Group[], more: BigUint64Array = new BigUint64Array(0)): BigUint64Array {
    const numbers = groups.map(({ labels, reads }) => this.#table.number(labels, reads))
    const wanted = new Uint8Array(this.#table.all.length)
    let documents = 0
    for (const group of numbers) {
      wanted[group] = 1
      documents += this.#table.all[group]!.documents
    }
    const column = new BigUint64Array(documents + more.length)
    const from = wordsOf(this.#index.ids)
    const to = wordsOf(column)
    let at = 0
    for (let number = 0; number < this.#index.size && documents > 0; number++) {
      if (wanted[this.#groupOf[number]!] === 0) continue
      to[at++] = from[number * 2]!
      to[at++] = from[number * 2 + 1]!
    }
    column.set(more, documents)
    return column
  }
}

/** The values of a column that are at most `last`, moved to its front. Compares words: BigInt comparisons take ten times as long. */
function upTo(column: BigUint64Array, last: bigint): BigUint64Array {
  const words = wordsOf(column)
  const lastLow = Number(last & 0xffffffffn)
  const lastHigh = Number(last >> 32n)
  let kept = 0
  for (let at = 0; at < words.length; at += 2) {
    const low = words[at]!
    const high = words[at + 1]!
    if (high > lastHigh || (high === lastHigh && low > lastLow)) continue
    words[kept++] = low
    words[kept++] = high
  }
  return column.subarray(0, kept / 2)
}
