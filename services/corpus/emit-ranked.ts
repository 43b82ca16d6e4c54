import { mixInPlace, sortByOrderKey } from '../../topologies/selection/mix.ts'
import type { RankedCut } from '../../topologies/selection/ranked.ts'
import type { Seed } from '../../topologies/selection/u64.ts'
import { idOfPlaceSql, orderKeySql, startsOf } from './key-sql.ts'
import type { RankedSource } from './ranked-source.ts'
import { rankedRowsSql, sureSql } from './ranked-sql.ts'

/** Sorting a selection uses at most this much memory, then disk. */
const sortBytes = 400_000_000

const chunkIds = 65_536

/** `Corpus.emitRanked`: what was taken unread, as the tables give it, and between it what was ranked exactly. */
export async function* emitRanked(
  { sql, rows, parameters }: RankedSource,
  cuts: readonly RankedCut[],
  orderSeed: Seed,
): AsyncGenerator<BigUint64Array> {
  const ranked = together(cuts.map(({ ids }) => ids))
  sortByOrderKey(ranked, orderSeed)
  const unread = cuts.flatMap((cut) => {
    if (cut.sure === null) return []
    const rowsOfCut = rankedRowsSql(rows(cut.groups), cut.groups, cut.ranking)
    return [`SELECT place FROM ${rowsOfCut} AND ${sureSql(cut.sure)}`]
  })
  if (unread.length === 0) {
    for (let first = 0; first < ranked.length; first += chunkIds) yield ranked.subarray(first, first + chunkIds)
    return
  }
  const ids = sql.ids(
    `SELECT doc FROM (SELECT ${idOfPlaceSql('place', 'id')} AS doc FROM (${unread.join(' UNION ALL ')})) ORDER BY ${orderKeySql('doc', 'seed', 'order')}
     SETTINGS max_bytes_before_external_sort = ${sortBytes}`,
    { ...parameters, seed: orderSeed, starts: startsOf(cuts[0]!.ranking.seed) },
  )
  yield* merged(ids, ranked, orderSeed)
}

/** Two columns in emission order as one; the second is short. */
async function* merged(
  chunks: AsyncIterable<BigUint64Array>,
  few: BigUint64Array,
  orderSeed: Seed,
): AsyncGenerator<BigUint64Array> {
  const fewKeys = few.slice()
  mixInPlace(fewKeys, orderSeed)
  let next = 0
  for await (const chunk of chunks) {
    const keys = chunk.slice()
    mixInPlace(keys, orderSeed)
    const last = keys.at(-1)!
    const first = next
    while (next < few.length && fewKeys[next]! < last) next += 1
    yield next === first ? chunk : inserted(chunk, keys, few.subarray(first, next), fewKeys.subarray(first, next))
  }
  if (next < few.length) yield few.subarray(next)
}

/** @param keys and newKeys: ascending; all new ones below the last of `keys` */
function inserted(ids: BigUint64Array, keys: BigUint64Array, newIds: BigUint64Array, newKeys: BigUint64Array) {
  const result = new BigUint64Array(ids.length + newIds.length)
  let from = 0
  for (const [i, key] of newKeys.entries()) {
    const to = firstAbove(keys, key, from)
    result.set(ids.subarray(from, to), from + i)
    result[to + i] = newIds[i]!
    from = to
  }
  result.set(ids.subarray(from), from + newIds.length)
  return result
}

/** The index of the first key above this one, at or behind `from`. */
function firstAbove(keys: BigUint64Array, key: bigint, from: number): number {
  let [low, high] = [from, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! > key) high = middle
    else low = middle + 1
  }
  return low
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
