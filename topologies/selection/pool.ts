import type { DocumentCondition } from './conditions.ts'
import type { ActorConfig } from './config.ts'
import type { Corpus } from './corpus.ts'
import type { Group } from './groups.ts'
import type { PoolCondition } from './strategy.ts'

/** Of a configured actor. */
export const actorIndex = (actors: readonly ActorConfig[], name: string): number =>
  actors.findIndex((actor) => actor.name === name)

/** The groups that satisfy a pool's conditions on subcategories. */
export function groupsOfPool(pool: readonly PoolCondition[], actors: readonly ActorConfig[], groups: Group[]): Group[] {
  const allowed = pool.flatMap((condition) => {
    if (!('subcategories' in condition)) return []
    const a = actorIndex(actors, condition.actor)
    return [{ a, indexes: new Set(condition.subcategories.map((name) => actors[a]!.subcategories.indexOf(name))) }]
  })
  return groups.filter(({ labels }) => allowed.every(({ a, indexes }) => indexes.has(labels[a]!)))
}

/**
 * A pool's conditions on tokens and scores (SELECTION.md, "Strategies"). Quantiles are over all documents that take part.
 * @param documents the number of those
 */
export async function documentConditions(
  pool: readonly PoolCondition[],
  actors: readonly ActorConfig[],
  corpus: Pick<Corpus, 'scoresAt'>,
  documents: number,
): Promise<DocumentCondition[]> {
  const conditions: DocumentCondition[] = []
  for (const condition of pool) {
    if ('tokensMin' in condition) {
      const { tokensMin } = condition
      conditions.push({
        says: `at least ${tokensMin} tokens`,
        holds: (tokens) => tokens >= tokensMin,
        of: { tokensFrom: tokensMin },
      })
    }
    if ('scoreAbove' in condition) {
      const { actor, scoreAbove } = condition
      const a = actorIndex(actors, actor)
      conditions.push({
        says: `a score of ${actor} above ${scoreAbove}`,
        holds: (_, scoreOf) => scoreOf(a) > scoreAbove,
        of: { actor: a, above: scoreAbove, upTo: null },
      })
    }
    if ('quantiles' in condition && documents > 0) {
      const a = actorIndex(actors, condition.actor)
      const [p, q] = condition.quantiles
      const ranks = [p, q].map((quantile) => Math.max(1, Math.ceil(quantile * documents)))
      const [low, high] = await corpus.scoresAt(a, ranks)
      conditions.push({
        says: `a score of ${condition.actor} ${p === 0 ? '' : `above ${low} and `}up to ${high}`,
        holds: (_, scoreOf) => (p === 0 || scoreOf(a) > low!) && scoreOf(a) <= high!,
        of: { actor: a, above: p === 0 ? null : low!, upTo: high! },
      })
    }
  }
  return conditions
}
