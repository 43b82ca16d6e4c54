/**
 * key(id, seed) of SELECTION.md as a ClickHouse expression: UInt64 arithmetic there wraps, as splitmix64 wants.
 * @param seed name of a `{seed:UInt64}` parameter
 * @param alias prefix of the intermediate names, so that two keys fit into one statement
 */
export function keySql(column: string, seed: string, alias: string): string {
  const z = (n: number) => `${alias}_z${n}`
  const start = `(bitXor(${column}, {${seed}:UInt64}) + 11400714819323198485 AS ${z(0)})`
  const mixed = `(bitXor(${start}, bitShiftRight(${z(0)}, 30)) * 13787848793156543929 AS ${z(1)})`
  const again = `(bitXor(${mixed}, bitShiftRight(${z(1)}, 27)) * 10723151780598845931 AS ${z(2)})`
  return `bitXor(${again}, bitShiftRight(${z(2)}, 31))`
}
