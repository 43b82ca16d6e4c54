import { asDocumentId, type DocumentId } from '../../schemas/index.ts'
import { candidatesOf } from './candidates.ts'
import { type DocumentCondition, scoredBy } from './conditions.ts'
import type { Amount, Corpus, Cut, DescribedDocument, DocumentBlock } from './corpus.ts'
import { drawInPlace, key, sortByKey, undrawInPlace } from './draw.ts'
import { GroupTable } from './group-table.ts'
import type { Group } from './groups.ts'
import { IdIndex } from './id-index.ts'
import { sortByOrderKey, wordsOf } from './mix.ts'
import { quantized, type ScoreSums } from './moments.ts'
import type { Remaining } from './plan.ts'
import { type Candidates, takePrefix } from './prefix.ts'
import type { RankedCut, Ranking } from './ranked.ts'
import { timesRead } from './reads.ts'
import type { Seed } from './u64.ts'

/** Ids in a chunk of `emit`: half a megabyte. */
const chunkIds = 65_536

const columnFirst = 1024

/**
 * A corpus in columns outside the JavaScript heap, about 40 bytes per document: ten million in well under 2 GB. Documents are numbered in
 * order of addition. Sorts only what is cut or emitted.
 */
export class MemoryCorpus implements Corpus {
  readonly #index = new IdIndex()
  readonly #table: GroupTable
  #groupOf = new Uint32Array(columnFirst)
  #tokens = new Float64Array(columnFirst)
  /** Label scores of each document, by actor's index, for the actors whose scores a strategy uses. */
  readonly #scores: Map<number, Float64Array>

  /**
   * @param sizes subcategories of each actor, in configuration order
   * @param scored the actors, by index, whose scores are kept: 8 more bytes per document and actor
   */
  constructor(sizes: readonly number[], scored: readonly number[] = []) {
    this.#table = new GroupTable(sizes)
    this.#scores = new Map(scored.map((a) => [a, new Float64Array(columnFirst)]))
  }

  get size(): number {
    return this.#index.size
  }

  /**
   * Adds a document given by its id's words.
   * @param scores by actor's index; only those of actors whose scores are kept are used
   * @returns false, changing nothing, if the corpus already has it
   */
  addWords(
    low: number,
    high: number,
    tokens: number,
    labels: ArrayLike<number>,
    scores: ArrayLike<number> = [],
  ): boolean {
    const number = this.#index.add(low, high)
    if (number === -1) return false
    if (number === this.#tokens.length) {
      this.#groupOf = new Uint32Array(this.#groupOf.buffer.transfer(this.#groupOf.byteLength * 2))
      this.#tokens = doubled(this.#tokens)
      for (const [a, column] of this.#scores) this.#scores.set(a, doubled(column))
    }
    const group = this.#table.number(labels, 0)
    this.#table.add(group, tokens)
    this.#groupOf[number] = group
    this.#tokens[number] = tokens
    for (const [a, column] of this.#scores) column[number] = scores[a]!
    return true
  }

  add(id: DocumentId, tokens: number, labels: ArrayLike<number>, scores?: ArrayLike<number>): boolean {
    return this.addWords(Number(id & 0xffffffffn), Number(id >> 32n), tokens, labels, scores)
  }

  /** The number of a document, -1 if it is unknown. */
  find(low: number, high: number): number {
    return this.#index.find(low, high)
  }

  /** The id of document `number`. */
  idOf(number: number): DocumentId {
    return this.#index.idAt(number)
  }

  /** The subcategories of document `number`. */
  labelsOf(number: number): readonly number[] {
    return this.#table.all[this.#groupOf[number]!]!.labels
  }

  /** How many documents each of an actor's subcategories holds. */
  heldBy(actor: number): number[] {
    const held: number[] = []
    for (const { labels, documents } of this.#table.all) held[labels[actor]!] = (held[labels[actor]!] ?? 0) + documents
    return Array.from(held, (documents = 0) => documents)
  }

  /** How often document `number` was read. */
  readsOf(number: number): number {
    return this.#table.all[this.#groupOf[number]!]!.reads
  }

  /**
   * Counts what a trainer read of a selection: `ids` are its documents from global index `indexFirst` on.
   * @param documents of the whole selection
   * @param passed how many of them the trainer has passed
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

  async samples(actorIndex: number, seed: Seed, count: number): Promise<Map<number, DocumentId[]>> {
    const held = this.#table.all.filter((group) => group.documents > 0)
    const bySubcategory = Map.groupBy(held, ({ labels }) => labels[actorIndex]!)
    return new Map(
      [...bySubcategory].map(([subcategory, groups]) => [
        subcategory,
        Array.from(sortByKey(this.#idsOf(groups), seed).subarray(0, count), asDocumentId),
      ]),
    )
  }

  async cut(groups: readonly Group[], seed: Seed, remaining: Remaining): Promise<Cut> {
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
    const keyLast = documents === 0 ? null : key(asDocumentId(ids[documents - 1]!), seed)
    return { groups, seed, keyLast, documents, tokens }
  }

  async *emit(whole: readonly Group[], cuts: readonly Cut[], orderSeed: Seed): AsyncGenerator<BigUint64Array> {
    const ids = sortByOrderKey(
      this.#idsOf(
        whole,
        cuts.map((cut) => this.#idsOfCut(cut)),
      ),
      orderSeed,
    )
    yield* inChunks(ids)
  }

  #idsOfCut({ groups, seed, keyLast }: Cut): BigUint64Array {
    if (keyLast === null) return new BigUint64Array(0)
    const ids = this.#idsOf(groups)
    drawInPlace(ids, seed)
    const taken = upTo(ids, keyLast)
    undrawInPlace(taken, seed)
    return taken
  }

  async held(strata: readonly (readonly Group[])[], conditions: readonly DocumentCondition[]): Promise<Amount[]> {
    const actors = scoredBy(conditions)
    const amounts: Amount[] = []
    for (const groups of strata) {
      const amount = { documents: 0, tokens: 0 }
      for await (const { tokens, scores } of this.#documents(groups, actors)) {
        for (const [i, count] of tokens.entries()) {
          if (!conditions.every(({ holds }) => holds(count, (a) => scores[actors.indexOf(a)]![i]!))) continue
          amount.documents += 1
          amount.tokens += count
        }
      }
      amounts.push(amount)
    }
    return amounts
  }

  async ranked(groups: readonly Group[], ranking: Ranking, wanted: Remaining): Promise<RankedCut> {
    const candidates = await this.#candidates(groups, ranking)
    return { groups, ranking, sure: null, ...takePrefix(candidates, ranking.sampler, ranking.seed, wanted) }
  }

  async *emitRanked(cuts: readonly RankedCut[], orderSeed: Seed): AsyncGenerator<BigUint64Array> {
    yield* inChunks(sortByOrderKey(together(cuts.map(({ ids }) => ids)), orderSeed))
  }

  #candidates(groups: readonly Group[], ranking: Ranking): Promise<Candidates> {
    return candidatesOf(this.#documents(groups, ranking.scored), groups, ranking)
  }

  /** The documents of these groups, in any order, with their scores by the labels of some actors. */
  async *#documents(groups: readonly Group[], scoredActors: readonly number[]): AsyncGenerator<DocumentBlock> {
    const indexOf = new Int32Array(this.#table.all.length).fill(-1)
    for (const [i, { labels, reads }] of groups.entries()) indexOf[this.#table.number(labels, reads)] = i
    for (let first = 0; first < this.#index.size; first += chunkIds) {
      const numbers: number[] = []
      const end = Math.min(first + chunkIds, this.#index.size)
      for (let number = first; number < end; number++) if (indexOf[this.#groupOf[number]!] !== -1) numbers.push(number)
      yield {
        ids: BigUint64Array.from(numbers, (number) => this.#index.idAt(number)),
        tokens: Float64Array.from(numbers, (number) => this.#tokens[number]!),
        groups: Uint32Array.from(numbers, (number) => indexOf[this.#groupOf[number]!]!),
        scores: scoredActors.map((a) => Float64Array.from(numbers, (number) => this.#scoresOf(a)[number]!)),
      }
    }
  }

  async describe(
    ids: readonly DocumentId[],
    scoredActors: readonly number[] = [],
  ): Promise<Map<DocumentId, DescribedDocument>> {
    const described = new Map<DocumentId, DescribedDocument>()
    for (const id of ids) {
      const number = this.find(Number(id & 0xffffffffn), Number(id >> 32n))
      if (number === -1) continue
      const scores = scoredActors.map((a) => this.#scoresOf(a)[number]!)
      const { labels, reads } = this.#table.all[this.#groupOf[number]!]!
      described.set(id, { labels, reads, tokens: this.#tokens[number]!, scores })
    }
    return described
  }

  async scoreSums(actorIndex: number): Promise<ScoreSums> {
    const sums: ScoreSums = { documents: this.#index.size, sum: 0n, squares: 0n }
    for (const score of this.#scoresOf(actorIndex).subarray(0, this.#index.size)) {
      const q = quantized(score)
      sums.sum += q
      sums.squares += q * q
    }
    return sums
  }

  async scoresAt(actorIndex: number, ranks: readonly number[]): Promise<number[]> {
    const ascending = this.#scoresOf(actorIndex).slice(0, this.#index.size).sort()
    return ranks.map((rank) => ascending[rank - 1]!)
  }

  #scoresOf(actorIndex: number): Float64Array {
    const column = this.#scores.get(actorIndex)
    if (column === undefined) throw new RangeError(`scores of actor ${actorIndex} are not kept`)
    return column
  }

  /** The ids of all documents of these groups, in order of addition, and then those of `more`; a new column. */
  #idsOf(groups: readonly Group[], more: readonly BigUint64Array[] = []): BigUint64Array {
    const numbers = groups.map(({ labels, reads }) => this.#table.number(labels, reads))
    const wanted = new Uint8Array(this.#table.all.length)
    let documents = 0
    for (const group of numbers) {
      wanted[group] = 1
      documents += this.#table.all[group]!.documents
    }
    const column = new BigUint64Array(more.reduce((sum, { length }) => sum + length, documents))
    const from = wordsOf(this.#index.ids)
    const to = wordsOf(column)
    let at = 0
    for (let number = 0; number < this.#index.size && documents > 0; number++) {
      if (wanted[this.#groupOf[number]!] === 0) continue
      to[at++] = from[number * 2]!
      to[at++] = from[number * 2 + 1]!
    }
    at = documents
    for (const ids of more) {
      column.set(ids, at)
      at += ids.length
    }
    return column
  }
}

function* inChunks(ids: BigUint64Array): Generator<BigUint64Array> {
  for (let first = 0; first < ids.length; first += chunkIds) yield ids.subarray(first, first + chunkIds)
}

function together(columns: readonly BigUint64Array[]): BigUint64Array {
  const all = new BigUint64Array(columns.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const column of columns) {
    all.set(column, at)
    at += column.length
  }
  return all
}

const doubled = (column: Float64Array): Float64Array<ArrayBuffer> =>
  new Float64Array((column.buffer as ArrayBuffer).transfer(column.byteLength * 2))

/** The values of a column that are at most `last`, moved to its front. Compares words, ten times as fast as BigInts. */
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
