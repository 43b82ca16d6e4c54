import { blocks, drawStarts, placeBits } from '../../topologies/selection/draw.ts'
import type { Seed } from '../../topologies/selection/u64.ts'

/**
 * splitmix64 as a ClickHouse expression: UInt64 arithmetic there wraps, as it wants.
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

const withinBlock = 2n ** placeBits - 1n

/**
 * key(id, seed) of SELECTION.md as a ClickHouse expression.
 * @param starts name of an `{starts:Array(UInt64)}` parameter, see `startsOf`
 */
export function drawKeySql(column: string, starts: string, alias: string): string {
  const at = `(${splitmix64Sql(column, alias)} AS ${alias}_place)`
  const block = `bitShiftRight(${at}, ${placeBits})`
  // Adds what would be subtracted, negated: a difference of UInt64 is an Int64 there.
  const distance = `bitAnd(${alias}_place + {${starts}:Array(UInt64)}[bitShiftRight(${alias}_place, ${placeBits}) + 1], ${withinBlock})`
  return `bitOr(${block}, bitShiftLeft(${distance}, ${Math.log2(blocks)}))`
}

/** The parameter of `drawKeySql` for a draw: where it begins in each block, negated. */
export const startsOf = (seed: Seed): bigint[] => drawStarts(seed).map((start) => withinBlock + 1n - start)
