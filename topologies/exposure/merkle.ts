import { createHash, hash } from 'node:crypto'

/** Merkle trees of RFC 9162, section 2.1.1, over SHA-256. */

export const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer')

/** Of a leaf with these bytes. */
export const leafHash = (bytes: Uint8Array): Buffer => createHash('sha256').update(leafPrefix).update(bytes).digest()

/** Of the node above two others. */
export const nodeOf = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Buffer.concat([nodePrefix, left, right]))

/** Of a tree without leaves. */
export const topOfNothing = sha256(new Uint8Array())

const leafPrefix = Buffer.of(0)
const nodePrefix = Buffer.of(1)

/** The top of a tree whose hashed leaves come one after the other; holds a hash for each bit of their number. */
export class TreeTop {
  /** Tops of whole subtrees, the largest first. */
  readonly #subtrees: { top: Buffer; leaves: number }[] = []

  /** @param leaf its hash */
  add(leaf: Buffer): void {
    let subtree = { top: leaf, leaves: 1 }
    for (let left = this.#subtrees.at(-1); left?.leaves === subtree.leaves; left = this.#subtrees.at(-1)) {
      this.#subtrees.pop()
      subtree = { top: nodeOf(left.top, subtree.top), leaves: 2 * subtree.leaves }
    }
    this.#subtrees.push(subtree)
  }

  get top(): Buffer {
    const tops = this.#subtrees.map(({ top }) => top)
    return tops.length === 0 ? topOfNothing : tops.reduceRight((right, left) => nodeOf(left, right))
  }
}
