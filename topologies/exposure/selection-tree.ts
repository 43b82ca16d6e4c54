import { hash } from 'node:crypto'
import { leafHash, nodeOf, sha256, TreeTop } from './merkle.ts'

/** Ids under a leaf: a proof shows one or two leaves whole, 2 KiB each, and hashing them costs emission about a hundredth. */
export const idsPerLeaf = 256

const idBytes = 8

/**
 * A selection's hash tree: the Merkle tree of RFC 9162, section 2.1.1, whose leaves are the ids in emission order, 256 at a time, each id as 8 bytes
 * little-endian. The root also holds their number: SHA-256 of 0x02, that number as 8 bytes little-endian, and the top of the tree.
 */
export class SelectionTree {
  readonly #leaf = new Uint8Array(1 + idsPerLeaf * idBytes)
  #filled = 0
  #documents = 0
  readonly #tree = new TreeTop()

  /** Takes the next ids. */
  add(ids: BigUint64Array): void {
    const bytes = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)
    for (let at = 0; at < bytes.length; ) {
      const some = bytes.subarray(at, at + idsPerLeaf * idBytes - this.#filled)
      this.#leaf.set(some, 1 + this.#filled)
      this.#filled += some.length
      at += some.length
      if (this.#filled === idsPerLeaf * idBytes) this.#close()
    }
    this.#documents += ids.length
  }

  #close(): void {
    this.#tree.add(sha256(this.#leaf.subarray(0, 1 + this.#filled)))
    this.#filled = 0
  }

  /** @returns the root, in hexadecimal. Nothing can be added any more. */
  root(): string {
    if (this.#filled > 0) this.#close()
    return rootOf(this.#documents, this.#tree.top)
  }
}

/** @param top of the tree, of `documents` ids */
export function rootOf(documents: number, top: Uint8Array): string {
  const bytes = Buffer.alloc(9 + top.length, 2)
  bytes.writeBigUInt64LE(BigInt(documents), 1)
  bytes.set(top, 9)
  return hash('sha256', bytes, 'hex')
}

export const leafCount = (documents: number): number => Math.ceil(documents / idsPerLeaf)

/** @param ids of one leaf */
export function leafOf(ids: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(ids.length * idBytes)
  for (const [i, id] of ids.entries()) bytes.writeBigUInt64LE(id, i * idBytes)
  return leafHash(bytes)
}

/** The top of a tree with these leaves, one at least, and the path of a leaf to it: the tops beside it, from the leaf upwards (RFC 9162, 2.1.3.1). */
export function pathTo(leaves: readonly Buffer[], index: number): { top: Buffer; path: Buffer[] } {
  if (leaves.length === 1) return { top: leaves[0]!, path: [] }
  const split = 2 ** Math.floor(Math.log2(leaves.length - 1))
  const isLeft = index < split
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)]
  const { top, path } = isLeft ? pathTo(left, index) : pathTo(right, index - split)
  const beside = topOf(isLeft ? right : left)
  return { top: isLeft ? nodeOf(top, beside) : nodeOf(beside, top), path: [...path, beside] }
}

function topOf(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0]!
  const split = 2 ** Math.floor(Math.log2(leaves.length - 1))
  return nodeOf(topOf(leaves.slice(0, split)), topOf(leaves.slice(split)))
}

/** The top that a leaf and its path lead to in a tree of `leaves` leaves; undefined: the path does not have that tree's length (RFC 9162, 2.1.3.2). */
export function topBy(leaf: Buffer, index: number, leaves: number, path: readonly Buffer[]): Buffer | undefined {
  if (leaves === 1) return path.length === 0 && index === 0 ? leaf : undefined
  const beside = path.at(-1)
  if (beside === undefined) return undefined
  const split = 2 ** Math.floor(Math.log2(leaves - 1))
  const isLeft = index < split
  const rest = path.slice(0, -1)
  const top = isLeft ? topBy(leaf, index, split, rest) : topBy(leaf, index - split, leaves - split, rest)
  if (top === undefined) return undefined
  return isLeft ? nodeOf(top, beside) : nodeOf(beside, top)
}
