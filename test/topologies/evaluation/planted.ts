import { asDocumentId, type DocumentId } from '../../../schemas/index.ts'
import type { Answer } from '../../../topologies/evaluation/sample.ts'
import { Uniforms } from '../../../topologies/fits/uniforms.ts'
import type { DescribedDocument } from '../../../topologies/selection/corpus.ts'
import type { Group } from '../../../topologies/selection/groups.ts'
import { seedOf } from '../../../topologies/selection/u64.ts'

export interface PlantedDocument extends DescribedDocument {
  readonly docId: DocumentId
  readonly reward: number
}

/** A corpus whose rewards are known: uneven cells of three actors, an effect of each label, one of pairs, and much noise. */
export function plantedCorpus(count: number, sizes: readonly number[] = [3, 4, 5]): PlantedDocument[] {
  const uniforms = new Uniforms(seedOf(1, 0, 'validate'))
  return Array.from({ length: count }, (_, i) => {
    // Squared: the first subcategories hold most documents.
    const labels = sizes.map((size) => Math.floor(size * uniforms.uniform() ** 2))
    const [a, b, c] = labels as [number, number, number]
    const reward = 0.1 + 0.1 * a - 0.15 * b + 0.05 * c + (a === 1 && b === 0 ? 0.2 : 0) + 0.3 * uniforms.normal()
    return { docId: asDocumentId(BigInt(i)), labels, reads: 0, tokens: 1, scores: [uniforms.uniform()], reward }
  })
}

export function groupsOf(documents: readonly PlantedDocument[]): Group[] {
  const byCell = Map.groupBy(documents, ({ labels }) => labels.join())
  return [...byCell.values()].map((of) => ({
    labels: [...of[0]!.labels],
    reads: 0,
    documents: of.length,
    tokens: of.length,
  }))
}

/** By actor, the documents of each of its subcategories. */
export const poolsOf = (documents: readonly PlantedDocument[], actors: number): PlantedDocument[][][] =>
  Array.from({ length: actors }, (_, actor) => [...Map.groupBy(documents, ({ labels }) => labels[actor]!).values()])

/** Of each subcategory of each actor `count` documents, drawn evenly and each once; all if there are fewer. */
export function drawn(pools: readonly (readonly PlantedDocument[][])[], count: number, uniforms: Uniforms): Answer[] {
  return pools.flatMap((ofActor, actor) =>
    ofActor.flatMap((pool) => {
      for (let i = 0; i < Math.min(count, pool.length); i++) {
        const at = i + uniforms.below(pool.length - i)
        ;[pool[i], pool[at]] = [pool[at]!, pool[i]!]
      }
      return pool.slice(0, count).map(({ docId, reward }) => ({ actor, docId, reward }))
    }),
  )
}
