import type { DocumentBlock } from '../../../topologies/selection/corpus.ts'
import type { Group } from '../../../topologies/selection/groups.ts'
import type { ScoreSums } from '../../../topologies/selection/moments.ts'
import type { Sql, SqlParameters } from '../../runtime/clickhouse/sql.ts'
import { idOfPlaceSql } from '../key-sql.ts'

/**
 * Documents with columns of float64, their scores, read as words of 8 bytes: id, tokens, number of the group, scores.
 * @param columns expressions
 * @param rows ends in a condition; with l0, l1, .., place, tokens, s0, s1, .. and, if a group is read, reads
 */
export async function* documentBlocks(
  sql: Sql,
  groups: readonly Group[],
  columns: readonly string[],
  rows: string,
  parameters: SqlParameters,
): AsyncGenerator<DocumentBlock> {
  if (groups.length === 0) return
  const scores = columns.map((column) => `, reinterpretAsUInt64(${column})`).join('')
  const statement = `SELECT ${idOfPlaceSql('place', 'i')} AS doc, tokens, ${groupNumberSql(groups)}${scores} FROM ${rows}`
  const width = 3 + columns.length
  let rest = new BigUint64Array(0)
  for await (const piece of sql.ids(statement, parameters)) {
    const words = new BigUint64Array(rest.length + piece.length)
    words.set(rest)
    words.set(piece, rest.length)
    const count = Math.floor(words.length / width)
    rest = words.slice(count * width)
    const numbers = new Float64Array(words.buffer)
    const block = {
      ids: new BigUint64Array(count),
      tokens: new Float64Array(count),
      groups: new Uint32Array(count),
      scores: columns.map(() => new Float64Array(count)),
    }
    const halves = new Uint32Array(words.buffer)
    for (let i = 0, at = 0; i < count; i++, at += width) {
      block.ids[i] = words[at]!
      block.tokens[i] = halves[2 * at + 2]! + halves[2 * at + 3]! * 2 ** 32
      block.groups[i] = halves[2 * at + 4]!
      for (let s = 0; s < columns.length; s++) block.scores[s]![i] = numbers[at + 3 + s]!
    }
    if (count > 0) yield block
  }
}

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b)

/** The value of a row's group, an integer of 64 bits; default: its number in the list. Labels and reads are digits of one number. */
export function groupNumberSql(
  groups: readonly Group[],
  values: readonly (bigint | number)[] = [...groups.keys()],
): string {
  const withReads = groups.some(({ reads }) => reads > 0)
  const digits = groups.map(({ labels, reads }) => (withReads ? [...labels, reads] : labels).map(BigInt))
  const names = [...groups[0]!.labels.map((_, i) => `l${i}`), ...(withReads ? ['reads'] : [])]
  const sizes = names.map((_, i) => digits.map((row) => row[i]!).reduce(larger, 0n) + 1n)
  if (sizes.reduce((product, size) => product * size, 1n) >= 2n ** 64n)
    throw new RangeError('too many combinations of labels for one number')
  const number = (row: readonly bigint[]) => row.reduce((sum, digit, i) => sum * sizes[i]! + digit, 0n)
  const expression = names.reduce((sum, name, i) => `(${sum} * ${sizes[i]} + ${name})`, 'toUInt64(0)')
  const all = digits.map((row, i) => [number(row), i] as const)
  return `toUInt64(transform(${expression}, [${all.map(([n]) => n).join(', ')}], [${all.map(([, i]) => `toUInt64(${values[i]})`).join(', ')}], 0))`
}

/** @param rows ends in a condition */
export async function scoreSums(sql: Sql, score: string, rows: string): Promise<ScoreSums> {
  const [row] = await sql.query<{ documents: string; sum: string; squares: string }>(
    `SELECT count() AS documents, toString(sum(q)) AS sum, toString(sum(q * q)) AS squares
     FROM (SELECT toInt256(floor(${score} * 1048576 + 0.5)) AS q FROM ${rows})`,
  )
  const { documents, sum, squares } = row!
  return { documents: Number(documents), sum: BigInt(sum), squares: BigInt(squares) }
}

/** A number for each range of float64: ascending as the values are. Their highest bits, turned round below 0. */
const rangeSql = (value: string): string =>
  `bitShiftRight(if(${value} < 0, bitNot(reinterpretAsUInt64(${value})), bitOr(reinterpretAsUInt64(${value}), 9223372036854775808)), 44)`

/** The scores of these ranks, counted from 1: found in a histogram, then in one range of it. @param rows ends in a condition */
export async function scoresAt(sql: Sql, score: string, rows: string, ranks: readonly number[]): Promise<number[]> {
  const ranges = await sql.query<{ range: string; documents: string }>(
    `SELECT ${rangeSql(score)} AS range, count() AS documents FROM ${rows} GROUP BY range ORDER BY range`,
  )
  const found: number[] = []
  for (const rank of ranks) {
    let before = 0
    let at = 0
    while (before + Number(ranges[at]!.documents) < rank) before += Number(ranges[at++]!.documents)
    const [row] = await sql.query<{ score: number }>(
      `SELECT ${score} AS score FROM ${rows} AND ${rangeSql(score)} = {range:UInt64} ORDER BY score LIMIT 1 OFFSET {before:UInt64}`,
      { range: BigInt(ranges[at]!.range), before: rank - 1 - before },
    )
    found.push(row!.score)
  }
  return found
}
