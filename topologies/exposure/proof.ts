import { asDocumentId, type DocumentId } from '../../schemas/index.ts'
import { WinnowError } from '../errors.ts'
import { orderKey, seedOf } from '../selection/u64.ts'
import { topOfNothing } from './merkle.ts'
import { idsPerLeaf, leafCount, leafOf, rootOf, topBy } from './selection-tree.ts'

/** Ids of a leaf of a selection's tree, and the tops beside its way to the top. */
export interface ProvenLeaf {
  readonly number: number
  /** In emission order. */
  readonly ids: readonly DocumentId[]
  readonly path: readonly Buffer[]
}

/** That a document is in a selection, or is not: to be checked by who has the selection's root alone. */
export interface Proof {
  readonly run: string
  readonly round: number
  readonly document: DocumentId
  /** Of the whole selection. */
  readonly documents: number
  /** The run's seed, from which the order of the selection follows. */
  readonly seed: string
  /** The one that holds the document; or those where it would be, one or two that follow each other; none: the selection is empty. */
  readonly leaves: readonly ProvenLeaf[]
}

/** What is proven: the document's index in the selection; null: it is not in it. */
export type Proven = number | null

/**
 * Checks a proof. Ids are emitted by ascending order key (SELECTION.md, step 7), and so a document that is in no leaf shown would have to be between two
 * neighbours.
 * @param root the selection's, from its manifest
 * @throws WinnowError GUARANTEE_VIOLATED if it does not hold
 */
export function verifyProof({ round, document, documents, seed, leaves }: Proof, root: string): Proven {
  const count = leafCount(documents)
  if (documents === 0) {
    if (rootOf(0, topOfNothing) !== root) throw broken('the root is not that of an empty selection')
    return null
  }
  const orderSeed = seedOf(seed, round, 'order')
  const keys: bigint[] = []
  for (const [i, { number, ids, path }] of leaves.entries()) {
    if (number !== leaves[0]!.number + i) throw broken('its leaves do not follow each other')
    if (ids.length !== Math.min(idsPerLeaf, documents - number * idsPerLeaf) || number < 0 || number >= count)
      throw broken(`leaf ${number} cannot hold ${ids.length} of ${documents} documents`)
    const top = topBy(leafOf(ids), number, count, path)
    if (top === undefined || rootOf(documents, top) !== root)
      throw broken(`leaf ${number} does not lead to the root ${root}`)
    keys.push(...ids.map((id) => orderKey(id, orderSeed)))
  }
  if (leaves.length === 0) throw broken('it shows no leaf')
  if (keys.some((key, i) => i > 0 && key <= keys[i - 1]!))
    throw broken('its documents are not in the order of the selection')
  const first = leaves[0]!.number * idsPerLeaf
  const at = leaves.flatMap(({ ids }) => ids).indexOf(document)
  if (at !== -1) return first + at
  const key = orderKey(document, orderSeed)
  const isAfter = key > keys[0]! || first === 0
  const isBefore = key < keys.at(-1)! || leaves.at(-1)!.number === count - 1
  if (!isAfter || !isBefore) throw broken(`document ${document} could be in a leaf that it does not show`)
  return null
}

const broken = (why: string): WinnowError =>
  new WinnowError('GUARANTEE_VIOLATED', `the proof does not hold: ${why}`, {
    hint: 'Compare the root with the manifest of the round (winnow run show RUN --json), and have the proof made again.',
  })

/** A proof as JSON has it. */
export interface ProofText extends Omit<Proof, 'document' | 'leaves'> {
  readonly document: string
  readonly leaves: readonly { number: number; ids: readonly string[]; path: readonly string[] }[]
}

export const proofText = (proof: Proof): ProofText => ({
  ...proof,
  document: `${proof.document}`,
  leaves: proof.leaves.map(({ number, ids, path }) => ({
    number,
    ids: ids.map(String),
    path: path.map((top) => top.toString('hex')),
  })),
})

export const proofOf = (text: ProofText): Proof => ({
  ...text,
  document: asDocumentId(BigInt(text.document)),
  leaves: text.leaves.map(({ number, ids, path }) => ({
    number,
    ids: ids.map((id) => asDocumentId(BigInt(id))),
    path: path.map((top) => Buffer.from(top, 'hex')),
  })),
})
