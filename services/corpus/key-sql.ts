import { blocks, drawStarts, placeBits } from '../../topologies/selection/draw.ts'
import type { Seed } from '../../topologies/selection/u64.ts'

/**
 * splitmix64 as a ClickHouse expression: UInt64 arithmetic wraps there, as needed.
 * @param alias prefix of the intermediate names, so that two fit into one statement
 */
function splitmix64Sql(value: string, alias: string): string {
  const z = (n: number) => `${alias}_z${n}`
  const start = `(${value} + 11400714819323198485 AS ${z(0)})`
  const mixed = `(bitXor(${start}, bitShiftRight(${z(0)}, 30)) * 13787848793156543929 AS ${z(1)})`
  const again = `(bitXor(${mixed}, bitShiftRight(${z(1)}, 27)) * 10723151780598845931 AS ${z(2)})`
  return `bitXor(${again}, bitShiftRight(${z(2)}, 31))`
}

/**
 * orderKey(id, seed) of SELECTION.md as a ClickHouse expression.
 * @param seed name of a `{seed:UInt64}` parameter
 */
export const orderKeySql = (column: string, seed: string, alias: string): string =>
  splitmix64Sql(`bitXor(${column}, {${seed}:UInt64})`, alias)

/** Likewise with an expression for the seed. */
export const orderKeySqlOf = (id: string, seed: string, alias: string): string =>
  splitmix64Sql(`bitXor(${id}, ${seed})`, alias)

/** place(id) of SELECTION.md as a ClickHouse expression. */
export const placeSql = (column: string, alias: string): string => splitmix64Sql(column, alias)

/** The inverse of `placeSql`: multiplies by the inverses, mod 2^64, of splitmix64's constants. */
export function idOfPlaceSql(place: string, alias: string): string {
  const z = (n: number) => `${alias}_u${n}`
  const first = `(bitXor(${place}, bitXor(bitShiftRight(${place}, 31), bitShiftRight(${place}, 62))) * 3573116690164977347 AS ${z(0)})`
  const second = `(bitXor(${first}, bitXor(bitShiftRight(${z(0)}, 27), bitShiftRight(${z(0)}, 54))) * 10871156337175269513 AS ${z(1)})`
  return `bitXor(${second}, bitXor(bitShiftRight(${z(1)}, 30), bitShiftRight(${z(1)}, 60))) + 7046029254386353131`
}

/**
 * key(id, seed) of SELECTION.md as a ClickHouse expression.
 * @param place name of the column that holds place(id)
 * @param starts name of an `{starts:Array(UInt64)}` parameter, see `startsOf`
 */
export const drawKeySql = (place: string, starts: string): string =>
  keySql(place, `{${starts}:Array(UInt64)}[${blockSql(place)} + 1]`)

/** Likewise. @param start expression for the start in the place's block, negated */
export function keySql(place: string, start: string): string {
  // Adds the negation instead of subtracting: a difference of UInt64 is an Int64 there.
  const distance = `bitAnd(${place} + ${start}, ${withinBlock})`
  return `bitOr(${blockSql(place)}, bitShiftLeft(${distance}, ${Math.log2(blocks)}))`
}

const blockSql = (place: string): string => `bitShiftRight(${place}, ${placeBits})`

const withinBlock = 2n ** placeBits - 1n

/** The parameter of `drawKeySql` for a draw: its start in each block, negated. */
export const startsOf = (seed: Seed): bigint[] => drawStarts(seed).map((start) => withinBlock + 1n - start)
