import type { DocumentId } from '../../../schemas/index.ts'
import { type DocumentCondition, scoredBy } from '../../../topologies/selection/conditions.ts'
import type { Amount, Corpus, Cut, DescribedDocument } from '../../../topologies/selection/corpus.ts'
import { place, placeBits } from '../../../topologies/selection/draw.ts'
import type { Group } from '../../../topologies/selection/groups.ts'
import type { ScoreSums } from '../../../topologies/selection/moments.ts'
import type { Remaining } from '../../../topologies/selection/plan.ts'
import type { RankedCut, Ranking } from '../../../topologies/selection/ranked.ts'
import type { ReadMove, ReadSelection, TakenGroup } from '../../../topologies/selection/read-selection.ts'
import type { Seed } from '../../../topologies/selection/u64.ts'
import type { Sql, SqlParameters } from '../../runtime/clickhouse/sql.ts'
import { idOfRow, rowsOfLists } from '../ids.ts'
import { drawKeySql, idOfPlaceSql, orderKeySql, startsOf } from '../key-sql.ts'
import { heldOf } from '../ranked.ts'
import { idsOfKeys, type SampleRow, samplesSql } from '../samples-sql.ts'
import { isAmong, readsByDocumentSql } from './among-sql.ts'
import { scoreSums, scoresAt } from './documents-sql.ts'
import { KeyBuckets } from './key-buckets.ts'
import { movedGroups } from './moved-groups.ts'
import { inPages, type PageSizes, pagesOf } from './pages.ts'
import { emitInRanges, rankedInRanges, type SortedSource } from './ranked-ranges.ts'
import { type ReadCondition, withReadsSql } from './reads-sql.ts'
import type { SortedState } from './states.ts'
import { reachOf, reachOfKey, stretchesSql } from './stretches.ts'

/** Keys are bucketed by their highest bits: a fully read bucket of a cut has a few thousand documents at 10^8. */
const bucketBits = 12
const bucketShift = 64 - bucketBits

/** Up to this many documents a scan is as fast as finding 64 stretches among them. */
const scannedMaxDefault = 1_000_000

/**
 * The corpus as of a state, in a table sorted by (cell, place): the histogram is stored, samples and cuts read ranges, an emission reads the
 * cells it takes. What a run has read is joined to these rows, of a few bytes a document. What needs each document's score is queried from
 * the wide table.
 */
export class SortedCorpus implements Corpus {
  readonly #sql: Sql
  readonly #state: SortedState
  readonly #wide: Corpus
  readonly #readsOf: string | null
  readonly #reads: Reads
  readonly #excluded: string | undefined
  #cellsIncluded: Promise<readonly Group[]> | undefined
  readonly #scannedMax: number
  readonly #pages: PageSizes | undefined
  readonly #openMax: number | undefined

  /**
   * @param readsOf a run whose reads, by documents, distinguish groups
   * @param reads what a run has read of selections that cells decided, in the order of its rounds
   * @param excluded a statement for the places of documents that take no part; not with reads as conditions
   * @param openMax see `RankedSource`
   * @param scannedMax documents of a subcategory up to which all of them are read for its sample
   * @param pages of an emission
   */
  constructor(
    sql: Sql,
    state: SortedState,
    wide: Corpus,
    {
      readsOf = null,
      reads = nothingRead,
      scannedMax = scannedMaxDefault,
      pages,
      openMax,
      excluded,
    }: SortedCorpusOptions = {},
  ) {
    this.#sql = sql
    this.#state = state
    this.#wide = wide
    this.#readsOf = readsOf
    this.#reads = reads
    this.#scannedMax = scannedMax
    this.#pages = pages
    this.#openMax = openMax
    this.#excluded = excluded
  }

  async groups(): Promise<Group[]> {
    const cells = await this.#cells()
    if (this.#readsOf === null) return movedGroups(cells, this.#reads.moves)
    const unread = new Map(cells.map((cell) => [cell.labels.join(), { ...cell }]))
    const read = await this.#groupsRead()
    for (const { labels, documents, tokens } of read) {
      const cell = unread.get(labels.join())!
      cell.documents -= documents
      cell.tokens -= tokens
    }
    return [...[...unread.values()].filter(({ documents }) => documents > 0), ...read]
  }

  /** The cells without what is excluded, which is looked up. */
  #cells(): Promise<readonly Group[]> {
    this.#cellsIncluded ??= this.#excluded === undefined ? Promise.resolve(this.#state.cells) : this.#cellsWithout()
    return this.#cellsIncluded
  }

  async #cellsWithout(): Promise<Group[]> {
    const cells = new Map(this.#state.cells.map((cell) => [cell.labels.join(), { ...cell }]))
    const names = this.#state.cells[0]?.labels.map((_, i) => `l${i}`)
    if (names === undefined) return []
    const rows = await this.#sql.query<{ labels: number[]; documents: string; tokens: string }>(
      `SELECT CAST([${names.join(', ')}], 'Array(UInt16)') AS labels, count() AS documents, sum(tokens) AS tokens
       FROM ${this.#state.table} WHERE ${this.#ofStates()} AND place IN (${this.#excluded}) GROUP BY ${names.join(', ')}`,
    )
    for (const { labels, documents, tokens } of rows) {
      const cell = cells.get(labels.join())!
      cell.documents -= Number(documents)
      cell.tokens -= Number(tokens)
    }
    return [...cells.values()].filter(({ documents }) => documents > 0)
  }

  /** The groups of documents that have been read: their rows are looked up, and the others' are known by what the cells hold. */
  async #groupsRead(): Promise<Group[]> {
    const names = this.#state.cells[0]?.labels.map((_, i) => `l${i}`)
    if (this.#readsOf === null || names === undefined) return []
    const rows = await this.#sql.query<{ labels: number[]; reads: string; documents: string; tokens: string }>(
      `SELECT CAST([${names.join(', ')}], 'Array(UInt16)') AS labels, reads, count() AS documents, sum(tokens) AS tokens
       FROM ${this.#state.table} INNER JOIN (${readsByDocumentSql}) AS r ON place = placeRead WHERE ${this.#inState()} AND reads > 0
       GROUP BY ${names.join(', ')}, reads`,
      { run: this.#readsOf },
    )
    return rows.map(({ labels, ...amounts }) => ({
      labels,
      reads: Number(amounts.reads),
      documents: Number(amounts.documents),
      tokens: Number(amounts.tokens),
    }))
  }

  async samples(actorIndex: number, seed: Seed, count: number): Promise<Map<number, DocumentId[]>> {
    const bySubcategory = Map.groupBy(await this.#cells(), ({ labels }) => labels[actorIndex]!)
    const open = new Map(
      [...bySubcategory].map(([j, cells]) => [j, cells.reduce((sum, cell) => sum + cell.documents, 0)]),
    )
    const found = new Map<number, DocumentId[]>()
    // Twice the reach that the draws should need: almost always enough, and if not, further.
    for (let wanted = 2 * count + 64; open.size > 0; wanted *= 8) {
      const isWhole = (held: number) => held <= Math.max(this.#scannedMax, wanted)
      const cellsFor = (whole: boolean) =>
        [...open].flatMap(([j, held]) => (isWhole(held) === whole ? bySubcategory.get(j)! : []))
      const heldLeast = Math.min(...[...open.values()].filter((held) => !isWhole(held)))
      const stretches = stretchesSql('place', seed, reachOf(wanted / heldLeast))
      const rows = await this.#sql.query<SampleRow>(
        samplesSql(
          `l${actorIndex}`,
          count,
          `${this.#state.table} WHERE ${this.#inState()} AND (${isAmong(cellsFor(true))} OR (${isAmong(cellsFor(false))} AND ${stretches}))`,
        ),
        { starts: startsOf(seed) },
      )
      for (const { subcategory, keys } of rows) {
        if (keys.length < Math.min(count, open.get(subcategory)!)) continue
        found.set(subcategory, idsOfKeys(keys, seed))
        open.delete(subcategory)
      }
    }
    return found
  }

  async cut(groups: readonly Group[], seed: Seed, remaining: Remaining): Promise<Cut> {
    if (groups.length === 0) return { groups, seed, keyLast: null, documents: 0, tokens: 0 }
    const unit = 'documents' in remaining ? 'documents' : 'tokens'
    const wanted = 'documents' in remaining ? remaining.documents : remaining.tokens
    const before = await this.#bucketsBefore(groups, seed, unit, wanted)
    const rows = await this.#sql.query<{ k: string; tokens: string }>(
      `SELECT ${drawKeySql('place', 'starts')} AS k, tokens FROM ${this.#rows(groups, stretchesSql('place', seed, before.reach))}
         AND k BETWEEN {first:UInt64} AND {last:UInt64} ORDER BY k`,
      this.#parameters({ starts: startsOf(seed), first: before.first, last: before.last }),
    )
    let { documents, tokens } = before
    let keyLast: bigint | null = null
    for (const row of rows) {
      if ((unit === 'documents' ? documents : tokens) >= wanted) break
      documents += 1
      tokens += Number(row.tokens)
      keyLast = BigInt(row.k)
    }
    return { groups, seed, keyLast, documents, tokens }
  }

  /** The totals of the key buckets that are taken whole, and where the bucket that the budget cuts begins. */
  async #bucketsBefore(groups: readonly Group[], seed: Seed, unit: 'documents' | 'tokens', wanted: number) {
    const held = groups.reduce((sum, group) => sum + group[unit], 0)
    const parameters = this.#parameters({ starts: startsOf(seed) })
    const few = this.#areFew(groups)
    for (let share = few || held === 0 ? 1 : (1.1 * wanted) / held + 0.01; ; share *= 2) {
      const reach = reachOf(share)
      const buckets = await this.#sql.query<{ bucket: number; documents: string; tokens: string }>(
        `SELECT toUInt32(bitShiftRight(${drawKeySql('place', 'starts')}, ${bucketShift})) AS bucket, count() AS documents,
           sum(tokens) AS tokens FROM ${this.#rows(groups, stretchesSql('place', seed, reach))} GROUP BY bucket ORDER BY bucket`,
        parameters,
      )
      const taken = { documents: 0, tokens: 0 }
      for (const [i, { bucket, ...amounts }] of buckets.entries()) {
        const next = { documents: Number(amounts.documents), tokens: Number(amounts.tokens) }
        const isLast = share >= 1 && i === buckets.length - 1
        if (isLast || taken[unit] + next[unit] >= wanted) {
          const first = BigInt(bucket) << BigInt(bucketShift)
          return {
            ...taken,
            first,
            last: first + 2n ** BigInt(bucketShift) - 1n,
            reach: few ? reach : reachUpTo(bucket),
          }
        }
        taken.documents += next.documents
        taken.tokens += next.tokens
      }
      if (share >= 1) return { ...taken, first: 0n, last: 0n, reach }
    }
  }

  async *emit(whole: readonly Group[], cuts: readonly Cut[], orderSeed: Seed): AsyncGenerator<BigUint64Array> {
    const parameters = this.#parameters({ seed: orderSeed })
    const parts = [this.#among(whole)]
    for (const [i, { groups, seed, keyLast }] of cuts.entries()) {
      if (keyLast === null) continue
      parameters[`starts${i}`] = startsOf(seed)
      parameters[`keyLast${i}`] = keyLast
      parts.push(`(${this.#among(groups)} AND ${drawKeySql('place', `starts${i}`)} <= {keyLast${i}:UInt64})`)
    }
    const taken = cuts.filter(({ keyLast }) => keyLast !== null)
    const all = [...whole, ...taken.flatMap(({ groups }) => groups)]
    if (all.length === 0) return
    const rows = this.#rows(all, this.#mayBeIn(whole, taken))
    const chosen = `SELECT ${idOfPlaceSql('place', 'id')} AS doc FROM ${rows} AND (${parts.join(' OR ')})`
    const statement = `SELECT (${orderKeySql('doc', 'seed', 'order')} AS k) FROM (${chosen}) WHERE k BETWEEN {first:UInt64} AND {last:UInt64}`
    const ids = [...whole, ...taken].reduce((sum, { documents }) => sum + documents, 0)
    yield* inPages(pagesOf(ids, this.#pages), async (page) => {
      const buckets = new KeyBuckets(page.first, page.last, page.ids)
      for await (const keys of this.#sql.ids(statement, { ...parameters, first: page.first, last: page.last }))
        buckets.add(keys)
      return buckets.ids(orderSeed)
    })
  }

  held(strata: readonly (readonly Group[])[], conditions: readonly DocumentCondition[]): Promise<Amount[]> {
    if (!this.#hasScores(scoredBy(conditions))) return this.#wide.held(strata, conditions)
    return heldOf(this.#ranked, strata, conditions)
  }

  ranked(groups: readonly Group[], ranking: Ranking, wanted: Remaining): Promise<RankedCut> {
    if (!this.#hasScores(ranking.scored)) return this.#wide.ranked(groups, ranking, wanted)
    return rankedInRanges(this.#ranked, groups, ranking, wanted)
  }

  emitRanked(cuts: readonly RankedCut[], orderSeed: Seed): AsyncIterable<BigUint64Array> {
    if (!this.#hasScores(cuts[0]?.ranking.scored ?? [])) return this.#wide.emitRanked(cuts, orderSeed)
    return emitInRanges(this.#ranked, cuts, orderSeed)
  }

  #hasScores(actors: readonly number[]): boolean {
    return actors.every((a) => this.#state.scored.includes(a))
  }

  get #ranked(): SortedSource {
    return {
      sql: this.#sql,
      rows: (groups, where) => this.#rows(groups, where),
      parameters: this.#parameters({}),
      areFew: (groups) => this.#areFew(groups),
      ...(this.#openMax !== undefined && { openMax: this.#openMax }),
    }
  }

  /** From the wide table, where a document is found by its id; reads that are known as conditions are asked of these rows. */
  async describe(
    ids: readonly DocumentId[],
    scoredActors: readonly number[] = [],
  ): Promise<ReadonlyMap<DocumentId, DescribedDocument>> {
    const described = await this.#wide.describe(ids, scoredActors)
    if (this.#reads.conditions.length === 0) return described
    const cells = [...new Set([...described.values()].map(({ labels }) => labels.join()))]
    const groups = this.#state.cells.filter(({ labels }) => cells.includes(labels.join()))
    const statement = (places: string) =>
      `SELECT ${idOfPlaceSql('place', 'i')} AS doc, reads FROM (${this.#rowsWithReads(`${isAmong(groups)} AND place IN (${places})`)})`
    const withReads = new Map<DocumentId, DescribedDocument>()
    const places = [...described.keys()].map(place)
    for await (const { doc, reads } of rowsOfLists<{ doc: string; reads: string }>(this.#sql, places, statement)) {
      const id = idOfRow(doc)
      withReads.set(id, { ...described.get(id)!, reads: Number(reads) })
    }
    return withReads
  }

  async scoreSums(actorIndex: number): Promise<ScoreSums> {
    if (!this.#state.scored.includes(actorIndex)) return await this.#wide.scoreSums(actorIndex)
    return await scoreSums(this.#sql, `s${actorIndex}`, `${this.#state.table} WHERE ${this.#inState()}`)
  }

  async scoresAt(actorIndex: number, ranks: readonly number[]): Promise<number[]> {
    if (!this.#state.scored.includes(actorIndex)) return await this.#wide.scoresAt(actorIndex, ranks)
    return await scoresAt(this.#sql, `s${actorIndex}`, `${this.#state.table} WHERE ${this.#inState()}`, ranks)
  }

  /** Whether all documents of these groups are read sooner than stretches of them are found. */
  #areFew(groups: readonly Group[]): boolean {
    return groups.reduce((sum, { documents }) => sum + documents, 0) <= this.#scannedMax
  }

  /** The part of the table that holds these groups and cuts. */
  #mayBeIn(whole: readonly Group[], cuts: readonly Cut[]): string {
    const parts = cuts.map(({ groups, seed, keyLast }) => {
      const cells = isAmong(groups.map((group) => ({ ...group, reads: 0 })))
      return this.#areFew(groups) ? cells : `(${cells} AND ${stretchesSql('place', seed, reachOfKey(keyLast!))})`
    })
    return `(${[isAmong(whole.map((group) => ({ ...group, reads: 0 }))), ...parts].join(' OR ')})`
  }

  /** The part of the table that holds what a selection has taken. */
  #mayBeTaken({ groups, selectSeed: seed }: ReadSelection): string {
    const cells = new Map(this.#state.cells.map((cell) => [cell.labels.join(), cell]))
    const byKey = Map.groupBy(groups, ({ keyLast }) => keyLast)
    const held = (taken: readonly TakenGroup[]) =>
      [...new Set(taken.map(({ labels }) => labels.join()))].flatMap((name) => cells.get(name) ?? [])
    const cuts = [...byKey].flatMap(([keyLast, taken]) =>
      keyLast === null ? [] : [{ groups: held(taken), seed, keyLast, documents: 0, tokens: 0 }],
    )
    return this.#mayBeIn(held(byKey.get(null) ?? []), cuts)
  }

  #inState(): string {
    return this.#excluded === undefined ? this.#ofStates() : `${this.#ofStates()} AND place NOT IN (${this.#excluded})`
  }

  #ofStates(): string {
    const { states } = this.#state
    return states.length === 0 ? 'false' : `state IN (${states.join(', ')})`
  }

  /** What reading this selection of these documents would move. */
  async movesBy(condition: ReadCondition): Promise<ReadMove[]> {
    const names = this.#state.cells[0]?.labels.map((_, i) => `l${i}`)
    if (names === undefined || condition.read.groups.length === 0) return []
    const columns = [...names, 'place', 'tokens', 'state']
    const rows = `${this.#state.table} WHERE ${this.#inState()} AND ${this.#mayBeTaken(condition.read)}`
    const { conditions } = this.#reads
    const before = withReadsSql(columns, rows, conditions)
    const given = `(SELECT ${columns.join(', ')}, reads AS before FROM (${before}))`
    const read = withReadsSql(['before', ...names, 'tokens'], given, [...conditions, condition])
    const moves = await this.#sql.query<{ labels: number[] } & Record<'before' | 'after' | 'n' | 'tokens', string>>(
      `SELECT CAST([${names.join(', ')}], 'Array(UInt16)') AS labels, before, reads AS after, count() AS n, sum(tokens) AS tokens
       FROM (${read}) WHERE after > before GROUP BY ${names.join(', ')}, before, after`,
    )
    return moves.map(({ labels, before, after, n, tokens }) => ({
      ...{ labels, readsBefore: Number(before), readsAfter: Number(after) },
      ...{ documents: Number(n), tokens: Number(tokens) },
    }))
  }

  /** The rows of which `where` is true, with how often each was read. */
  #rowsWithReads(where: string): string {
    const columns = [...this.#state.cells[0]!.labels.map((_, i) => `l${i}`), 'place', 'tokens']
    const rows = `${this.#state.table} WHERE ${this.#inState()} AND ${where}`
    return withReadsSql(columns, rows, this.#reads.conditions)
  }

  /** The rows of these groups of which `where` is true. Ends in a condition, to which a statement may add. */
  #rows(groups: readonly Group[], where = 'true'): string {
    if (!this.#distinguishesReads)
      return `${this.#state.table} WHERE ${this.#inState()} AND ${isAmong(groups)} AND ${where}`
    const cells = new Map(groups.map((group) => [group.labels.join(), { ...group, reads: 0 }])).values().toArray()
    const ofCells = `${isAmong(cells)} AND ${where}`
    if (this.#readsOf === null) return `(${this.#rowsWithReads(ofCells)}) WHERE ${this.#among(groups)}`
    const rows = `${this.#state.table} WHERE ${this.#inState()} AND ${ofCells}`
    return `(SELECT * FROM (SELECT * FROM ${rows}) AS t LEFT JOIN (${readsByDocumentSql}) AS r ON place = placeRead) WHERE ${this.#among(groups)}`
  }

  get #distinguishesReads(): boolean {
    return this.#readsOf !== null || this.#reads.conditions.length > 0
  }

  #among(groups: readonly Group[]): string {
    return isAmong(groups, this.#distinguishesReads)
  }

  #parameters(parameters: SqlParameters): SqlParameters {
    return this.#readsOf === null ? parameters : { ...parameters, run: this.#readsOf }
  }
}

export interface SortedCorpusOptions {
  readonly readsOf?: string | null
  readonly reads?: Reads
  readonly scannedMax?: number
  readonly pages?: PageSizes
  readonly openMax?: number
  readonly excluded?: string
}

/** What a run has read, as conditions, and what that has moved. */
export interface Reads {
  readonly conditions: readonly ReadCondition[]
  readonly moves: readonly ReadMove[]
}

const nothingRead: Reads = { conditions: [], moves: [] }

/** Places per block that hold all keys up to the end of a bucket. */
const reachUpTo = (bucket: number): bigint => BigInt(bucket + 1) << (placeBits - BigInt(bucketBits))
