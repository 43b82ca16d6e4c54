import type { ReadSelection } from '../../../topologies/selection/read-selection.ts'
import { u64Max } from '../../../topologies/selection/u64.ts'
import { idOfPlaceSql, keySql, orderKeySqlOf, startsOf } from '../key-sql.ts'

/** What was read of a selection, and the states of the table that hold what came after it. */
export interface ReadCondition {
  readonly read: ReadSelection
  readonly statesAfter: readonly number[]
}

/**
 * The columns `columns` of rows with l0, l1, .., place and state, and `reads`: how often each was read of these selections, in the order of their
 * rounds. One fold over the rounds, whose numbers stand in arrays: what a round takes depends on what was read before it, and statements nested
 * that deep would take exponential time to plan.
 * @param rows ends in conditions
 */
export function withReadsSql(columns: readonly string[], rows: string, conditions: readonly ReadCondition[]): string {
  const some = conditions.filter(
    ({ read }) => read.groups.length > 0 && (read.timesAll > 0 || read.orderKeyLast !== null),
  )
  if (some.length === 0) return `SELECT ${columns.join(', ')}, toUInt64(0) AS reads FROM ${rows}`
  const cells = new Map<string, readonly number[]>()
  for (const { read } of some) for (const { labels } of read.groups) cells.set(labels.join(), labels)
  const bounds = boundsOf(some, [...cells.keys()])
  const numbers = [...cells.keys()].map((_, n) => n)
  const tuples = [...cells.values()].map((labels) => packed(labels.map((label) => `${Number(label)}`)))
  const names = [...cells.values()][0]!.map((_, a) => `l${a}`)
  const added = [
    `toUInt64(transform(${packed(names)}, [${tuples.join(', ')}], [${numbers.join(', ')}], ${cells.size})) AS cell`,
    `${enteredSql(some)} AS entered`,
    `${idOfPlaceSql('place', 'r')} AS doc`,
    'bitShiftRight(place, 58) AS block',
  ]
  const at = `round * ${cells.size + 1} + cell + 1`
  const starts = `${array(some.flatMap(({ read }) => startsOf(read.selectSeed)))}[round * 64 + block + 1]`
  const order = orderKeySqlOf('doc', `${array(some.map(({ read }) => read.orderSeed))}[round + 1]`, 'o')
  const orderLast = array(some.map(({ read }) => read.orderKeyLast ?? 0n))
  const inPart = array(some.map(({ read }) => (read.orderKeyLast === null ? 0 : 1)))
  const times = `${array(some.map(({ read }) => read.timesAll))}[round + 1] + (${inPart}[round + 1] = 1 AND ${order} <= ${orderLast}[round + 1])`
  // Of the reads counted so far, whether the round has taken documents of the group, and up to which key.
  const index = `(${array(bounds.first)}[${at}] + readsBefore)`
  const isTaken = `readsBefore < ${array(bounds.count)}[${at}] AND ${array(bounds.isTaken)}[${index}] = 1`
  const isFirst = `${keySql('place', starts)} <= ${array(bounds.keyLast)}[${index}]`
  const fold = `arrayFold((readsBefore, round) -> readsBefore + if(round >= entered AND ${isTaken} AND ${isFirst}, ${times}, 0), range(${some.length}), toUInt64(0))`
  return `SELECT ${columns.join(', ')}, ${fold} AS reads FROM (SELECT *, ${added.join(', ')} FROM ${rows})`
}

const array = (values: readonly (bigint | number)[]): string => `CAST([${values.join(', ')}], 'Array(UInt64)')`

/** Labels as one number: each has 16 bits. Cells of more than four actors are told apart by a hash. */
function packed(labels: readonly string[]): string {
  if (labels.length > 4) return `cityHash64(${labels.map((label) => `toUInt16(${label})`).join(', ')})`
  return labels.map((label, a) => `bitShiftLeft(toUInt64(${label}), ${16 * a})`).join(' + ')
}

/** The number of the first selection that a row was there for: rows of some states came later. */
function enteredSql(conditions: readonly ReadCondition[]): string {
  const entered = new Map<number, number>()
  for (const [i, { statesAfter }] of conditions.entries()) for (const state of statesAfter) entered.set(state, i + 1)
  if (entered.size === 0) return 'toUInt64(0)'
  return `toUInt64(transform(state, [${[...entered.keys()].join(', ')}], [${[...entered.values()].join(', ')}], 0))`
}

/** For each round and cell, and one more cell for all others: a stretch of bounds, one for each number of reads. */
function boundsOf(conditions: readonly ReadCondition[], cells: readonly string[]) {
  const first: number[] = []
  const count: number[] = []
  // Arrays are counted from 1 and not empty.
  const isTaken = [0]
  const keyLast = [0n]
  for (const { read } of conditions) {
    const byCell = Map.groupBy(read.groups, ({ labels }) => labels.join())
    for (const cell of [...cells, '']) {
      const groups = byCell.get(cell) ?? []
      const levels = 1 + Math.max(-1, ...groups.map(({ reads }) => reads))
      first.push(isTaken.length + 1)
      count.push(levels)
      const byReads = new Map(groups.map((group) => [group.reads, group.keyLast ?? u64Max]))
      for (let reads = 0; reads < levels; reads++) {
        isTaken.push(byReads.has(reads) ? 1 : 0)
        keyLast.push(byReads.get(reads) ?? 0n)
      }
    }
  }
  return { first, count, isTaken, keyLast }
}
