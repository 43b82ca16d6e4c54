import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { leafOf, pathTo, rootOf, SelectionTree, topBy } from '../../../topologies/exposure/selection-tree.ts'
import { splitmix64 } from '../../../topologies/selection/u64.ts'

const idsOf = (count: number) => Array.from({ length: count }, (_, i) => splitmix64(BigInt(i)))

/** The definition, by recursion (RFC 9162, 2.1.1): the split is the largest power of two below the number of leaves. */
function plainRoot(ids: readonly bigint[]): string {
  const sha = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
  const u64 = (value: bigint) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(value)
    return bytes
  }
  const leaves: Buffer[] = []
  for (let i = 0; i < ids.length; i += 256) leaves.push(sha(Buffer.of(0), ...ids.slice(i, i + 256).map(u64)))
  const top = (of: Buffer[]): Buffer => {
    if (of.length === 1) return of[0]!
    let split = 1
    while (split * 2 < of.length) split *= 2
    return sha(Buffer.of(1), top(of.slice(0, split)), top(of.slice(split)))
  }
  const all = leaves.length === 0 ? sha() : top(leaves)
  return sha(Buffer.of(2), u64(BigInt(ids.length)), all).toString('hex')
}

test.each([0, 1, 255, 256, 257, 512, 513, 768, 1025, 2048, 3000, 256 * 7, 256 * 11 + 3])(
  'the root of %d ids is that of the definition, in whatever pieces they come',
  (count) => {
    const ids = idsOf(count)
    for (const size of [1, 7, 256, 300, 5000]) {
      const tree = new SelectionTree()
      for (let i = 0; i < count; i += size) tree.add(BigUint64Array.from(ids.slice(i, i + size)))
      expect(tree.root()).toBe(plainRoot(ids))
    }
  },
)

test('a golden root, so that readers in other languages can compare', () => {
  const tree = new SelectionTree()
  tree.add(BigUint64Array.from([1n, 2n, 2n ** 64n - 1n]))
  expect(tree.root()).toBe(plainRoot([1n, 2n, 2n ** 64n - 1n]))
  expect(tree.root()).toMatchInlineSnapshot(`"48c0c758c516457047650cb5fbc556e1b6b6328cbe636e01d28472f28882d273"`)
})

test('the path of every leaf leads to the top, and to no other: not of another leaf, place or number of leaves', () => {
  for (let count = 1; count <= 20; count++) {
    const leaves = Array.from({ length: count }, (_, i) => leafOf([BigInt(i)]))
    for (const [i, leaf] of leaves.entries()) {
      const { top, path } = pathTo(leaves, i)
      expect(topBy(leaf, i, count, path)).toEqual(top)
      expect(topBy(leafOf([99n]), i, count, path)).not.toEqual(top)
      if (count > 1) expect(topBy(leaf, i, count, path.slice(1))).not.toEqual(top)
      expect(topBy(leaf, i, count, [...path, leaf])).not.toEqual(top)
      for (const other of leaves.keys()) if (other !== i) expect(topBy(leaf, other, count, path)).not.toEqual(top)
    }
  }
})

test('a root holds the number of documents', () => {
  const { top } = pathTo([leafOf([1n])], 0)
  expect(rootOf(1, top)).not.toBe(rootOf(2, top))
})
