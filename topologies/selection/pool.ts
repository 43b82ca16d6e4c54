import type { ActorConfig } from './config.ts'
import type { Corpus } from './corpus.ts'
import type { Group } from './groups.ts'
import type { PoolCondition } from './strategy.ts'

/** Whether a document may be selected, by conditions that its cell does not decide. @param scoreOf its label scores, by actor's index */
export type DocumentTest = (tokens: number, scoreOf: (actor: number) => number) => boolean

const actorIndex = (actors: readonly ActorConfig[], name: string) => actors.findIndex((actor) => actor.name === name)

/** The groups that satisfy a pool's conditions on subcategories. */
export function groupsOfPool(pool: readonly PoolCondition[], actors: readonly ActorConfig[], groups: Group[]): Group[] {
  const allowed = pool.flatMap((condition) => {
    if (!('subcategories' in condition)) return []
    const a = actorIndex(actors, condition.actor)
    return [{ a, indexes: new Set(condition.subcategories.map((name) => actors[a]!.subcategories.indexOf(name))) }]
  })
  return groups.filter(({ labels }) => allowed.every(({ a, indexes }) => indexes.has(labels[a]!)))
}

/** Whether a pool has conditions that a document's cell does not decide. */
export const looksAtDocuments = (pool: readonly PoolCondition[]): boolean =>
  pool.some((condition) => !('subcategories' in condition))

/**
 * A pool's conditions on tokens and scores (SELECTION.md, "Strategies"). Quantiles are over all documents that take part.
 * @param documents the number of those
 */
export async function documentTest(
  pool: readonly PoolCondition[],
  actors: readonly ActorConfig[],
  corpus: Corpus,
  documents: number,
): Promise<DocumentTest> {
  const tests: DocumentTest[] = []
  for (const condition of pool) {
    if ('tokensMin' in condition) tests.push((tokens) => tokens >= condition.tokensMin)
    if ('scoreAbove' in condition) {
      const a = actorIndex(actors, condition.actor)
      tests.push((_, scoreOf) => scoreOf(a) > condition.scoreAbove)
    }
    if ('quantiles' in condition && documents > 0) {
      const a = actorIndex(actors, condition.actor)
      const [p, q] = condition.quantiles
      const ranks = [p, q].map((quantile) => Math.max(1, Math.ceil(quantile * documents)))
      const [low, high] = await corpus.scoresAt(a, ranks)
      tests.push((_, scoreOf) => (p === 0 || scoreOf(a) > low!) && scoreOf(a) <= high!)
    }
  }
  return (tokens, scoreOf) => tests.every((test) => test(tokens, scoreOf))
}
