import type { DocumentId } from '../../../schemas/index.ts'
import type { Corpus, Cut, DocumentBlock } from '../../../topologies/selection/corpus.ts'
import { placeBits } from '../../../topologies/selection/draw.ts'
import type { Group } from '../../../topologies/selection/groups.ts'
import type { ScoreSums } from '../../../topologies/selection/moments.ts'
import type { Remaining } from '../../../topologies/selection/plan.ts'
import type { Seed } from '../../../topologies/selection/u64.ts'
import type { Sql, SqlParameters } from '../../runtime/clickhouse/sql.ts'
import { drawKeySql, idOfPlaceSql, orderKeySql, startsOf } from '../key-sql.ts'
import { idsOfKeys, type SampleRow, samplesSql } from '../samples-sql.ts'
import type { SortedState } from './states.ts'
import { reachOf, stretchesSql } from './stretches.ts'

/** Keys are bucketed by their highest bits: a fully read bucket of a cut has a few thousand documents at 10^8. */
const bucketBits = 12
const bucketShift = 64 - bucketBits

/** Up to this many documents a scan is as fast as finding 64 stretches among them. */
const scannedMaxDefault = 1_000_000

/** Sorting a selection uses at most this much memory, then disk. */
const sortBytes = 400_000_000

/**
 * The corpus as of a state, in a table sorted by (cell, place): the histogram is stored, samples and cuts read ranges, an emission reads the
 * cells it takes. What needs each document's score is queried from the wide table.
 */
export class SortedCorpus implements Corpus {
  readonly #sql: Sql
  readonly #state: SortedState
  readonly #wide: Corpus
  readonly #scannedMax: number

  /** @param scannedMax documents of a subcategory up to which all of them are read for its sample */
  constructor(sql: Sql, state: SortedState, wide: Corpus, scannedMax = scannedMaxDefault) {
    this.#scannedMax = scannedMax
    this.#sql = sql
    this.#state = state
    this.#wide = wide
  }

  async groups(): Promise<Group[]> {
    return this.#state.cells.map((cell) => ({ ...cell }))
  }

  async samples(actorIndex: number, seed: Seed, count: number): Promise<Map<number, DocumentId[]>> {
    const bySubcategory = Map.groupBy(this.#state.cells, ({ labels }) => labels[actorIndex]!)
    const open = new Map(
      [...bySubcategory].map(([j, cells]) => [j, cells.reduce((sum, cell) => sum + cell.documents, 0)]),
    )
    const found = new Map<number, DocumentId[]>()
    // Twice the reach that the draws should need: almost always enough, and if not, further.
    for (let wanted = 2 * count + 64; open.size > 0; wanted *= 8) {
      const isWhole = (held: number) => held <= Math.max(this.#scannedMax, wanted)
      const cellsOf = (whole: boolean) =>
        [...open].flatMap(([j, held]) => (isWhole(held) === whole ? bySubcategory.get(j)! : []))
      const heldLeast = Math.min(...[...open.values()].filter((held) => !isWhole(held)))
      const stretches = stretchesSql('place', seed, reachOf(wanted / heldLeast))
      const rows = await this.#sql.query<SampleRow>(
        samplesSql(
          `l${actorIndex}`,
          count,
          `${this.#state.table} WHERE ${this.#inState()} AND (${this.#cellsIn(cellsOf(true))} OR (${this.#cellsIn(cellsOf(false))} AND ${stretches}))`,
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
      `SELECT ${drawKeySql('place', 'starts')} AS k, tokens FROM ${this.#rows(groups)} AND ${stretchesSql('place', seed, before.reach)}
         AND k BETWEEN {first:UInt64} AND {last:UInt64} ORDER BY k`,
      { starts: startsOf(seed), first: before.first, last: before.last },
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
    const parameters: SqlParameters = { starts: startsOf(seed) }
    for (let share = held === 0 ? 1 : (1.1 * wanted) / held + 0.01; ; share *= 2) {
      const reach = reachOf(share)
      const buckets = await this.#sql.query<{ bucket: number; documents: string; tokens: string }>(
        `SELECT toUInt32(bitShiftRight(${drawKeySql('place', 'starts')}, ${bucketShift})) AS bucket, count() AS documents,
           sum(tokens) AS tokens FROM ${this.#rows(groups)} AND ${stretchesSql('place', seed, reach)} GROUP BY bucket ORDER BY bucket`,
        parameters,
      )
      const taken = { documents: 0, tokens: 0 }
      for (const [i, { bucket, ...amounts }] of buckets.entries()) {
        const next = { documents: Number(amounts.documents), tokens: Number(amounts.tokens) }
        const isLast = share >= 1 && i === buckets.length - 1
        if (isLast || taken[unit] + next[unit] >= wanted) {
          const first = BigInt(bucket) << BigInt(bucketShift)
          return { ...taken, first, last: first + 2n ** BigInt(bucketShift) - 1n, reach: reachUpTo(bucket) }
        }
        taken.documents += next.documents
        taken.tokens += next.tokens
      }
      if (share >= 1) return { ...taken, first: 0n, last: 0n, reach }
    }
  }

  async *emit(whole: readonly Group[], cuts: readonly Cut[], orderSeed: Seed): AsyncGenerator<BigUint64Array> {
    const parameters: SqlParameters = { seed: orderSeed }
    const parts = [this.#cellsIn(whole)]
    for (const [i, { groups, seed, keyLast }] of cuts.entries()) {
      if (keyLast === null) continue
      parameters[`starts${i}`] = startsOf(seed)
      parameters[`keyLast${i}`] = keyLast
      parts.push(`(${this.#cellsIn(groups)} AND ${drawKeySql('place', `starts${i}`)} <= {keyLast${i}:UInt64})`)
    }
    const chosen = `SELECT ${idOfPlaceSql('place', 'id')} AS doc FROM ${this.#state.table} WHERE ${this.#inState()} AND (${parts.join(' OR ')})`
    yield* this.#sql.ids(
      `SELECT doc FROM (${chosen}) ORDER BY ${orderKeySql('doc', 'seed', 'order')}
       SETTINGS max_bytes_before_external_sort = ${sortBytes}`,
      parameters,
    )
  }

  documents(groups: readonly Group[], scoredActors: readonly number[]): AsyncIterable<DocumentBlock> {
    return this.#wide.documents(groups, scoredActors)
  }

  scoreSums(actorIndex: number): Promise<ScoreSums> {
    return this.#wide.scoreSums(actorIndex)
  }

  scoresAt(actorIndex: number, ranks: readonly number[]): Promise<number[]> {
    return this.#wide.scoresAt(actorIndex, ranks)
  }

  #inState(): string {
    return `state IN (${this.#state.states.join(', ')})`
  }

  #rows(groups: readonly Group[]): string {
    return `${this.#state.table} WHERE ${this.#inState()} AND ${this.#cellsIn(groups)}`
  }

  #cellsIn(groups: readonly Group[]): string {
    const unread = groups.filter(({ reads }) => reads === 0)
    if (unread.length === 0) return 'false'
    const names = unread[0]!.labels.map((_, i) => `l${i}`).join(', ')
    return `(${names}) IN (${unread.map(({ labels }) => `(${labels.map(Number).join(', ')})`).join(', ')})`
  }
}

/** Places per block that hold all keys up to the end of a bucket. */
const reachUpTo = (bucket: number): bigint => BigInt(bucket + 1) << (placeBits - BigInt(bucketBits))
