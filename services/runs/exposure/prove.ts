import type { DocumentId, Manifest } from '../../../schemas/index.ts'
import type { ReadsSource } from '../../../topologies/console/reads.ts'
import type { Proof, ProvenLeaf } from '../../../topologies/exposure/proof.ts'
import { idsPerLeaf, leafOf, pathTo, rootOf } from '../../../topologies/exposure/selection-tree.ts'
import { orderKey, seedOf } from '../../../topologies/selection/u64.ts'
import { WinnowError } from '../../runtime/errors.ts'

/**
 * Proves that a document is in a round's selection, or is not. Reads the selection once; memory grows by an eighth of a byte per document.
 * @param seed of the run
 * @throws WinnowError CONFIGURATION if the selection is older than roots; GUARANTEE_VIOLATED if the stream is not what its manifest says
 */
export async function prove(
  selections: ReadsSource,
  manifest: Manifest,
  seed: string,
  document: DocumentId,
): Promise<Proof> {
  const { run, round, documents } = manifest
  const root = recordedRoot(manifest)
  const proof = { run, round, document, documents, seed }
  if (documents === 0) return { ...proof, leaves: [] }
  const orderSeed = seedOf(seed, round, 'order')
  const wanted = orderKey(document, orderSeed)
  const leaves: Buffer[] = []
  // The last leaf that begins at or before the document's place, and the first after it.
  let shown: { number: number; ids: DocumentId[] }[] = []
  for await (const ids of leavesOf(selections, manifest)) {
    const number = leaves.push(leafOf(ids)) - 1
    const isBefore = orderKey(ids[0]!, orderSeed) <= wanted
    if (isBefore || shown.length === 0) shown = [{ number, ids }]
    else if (shown.length === 1 && orderKey(shown[0]!.ids.at(-1)!, orderSeed) < wanted) shown.push({ number, ids })
  }
  const paths = shown.map(({ number }) => pathTo(leaves, number))
  if (rootOf(documents, paths[0]!.top) !== root)
    throw new WinnowError(
      'GUARANTEE_VIOLATED',
      `the stream of round ${round} of run ${run} does not have the root of its manifest`,
    )
  return { ...proof, leaves: shown.map((leaf, i): ProvenLeaf => ({ ...leaf, path: paths[i]!.path })) }
}

/** The root of a selection's hash tree. @throws WinnowError CONFIGURATION if the selection is older than roots */
export function recordedRoot({ run, round, selectionRoot }: Manifest): string {
  if (selectionRoot !== null) return selectionRoot
  throw new WinnowError('CONFIGURATION', `round ${round} of run ${run} was selected before manifests had roots`, {
    hint: `A replay that selects the same has one: winnow replay --run ${run}`,
  })
}

async function* leavesOf(selections: ReadsSource, manifest: Manifest): AsyncGenerator<DocumentId[]> {
  let leaf: DocumentId[] = []
  for await (const ids of selections.selection(manifest, 0))
    for (const id of ids) {
      leaf.push(id)
      if (leaf.length < idsPerLeaf) continue
      yield leaf
      leaf = []
    }
  if (leaf.length > 0) yield leaf
}
