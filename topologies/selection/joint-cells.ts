import type { ActorMemory } from './actor-memory.ts'
import type { SelectionConfig } from './config.ts'
import { type CellActor, cellCount, jointCells } from './joint-config.ts'

/**
 * The residual of a joint fit by cell (SELECTION.md, "Joint weights"): what actors of a run have in common beyond the sum of their weights. It is folded
 * and recorded like an actor's weights, under a name that no actor can have, as one table over the cells of the actors that are not frozen; in a
 * manifest, and wherever weights are by actor in configuration order, the table comes last.
 */
export const cellsActor = '_cells'

/** Whose states a round waits for, in the order of its weights. */
export const foldedActors = (config: Pick<SelectionConfig, 'actors' | 'collaboration' | 'joint'>): string[] => [
  ...config.actors.map(({ name }) => name),
  ...(jointCells(config) === undefined ? [] : [cellsActor]),
]

/** Where a document of these labels stands in the table: the last actor's subcategories vary fastest. */
export function cellIndex(actors: readonly CellActor[], labels: ArrayLike<number>): number {
  let index = 0
  for (const [a, { subcategories, frozen }] of actors.entries())
    if (frozen !== true) index = index * subcategories.length + labels[a]!
  return index
}

/** No residual yet. */
export function initialCells({ actors }: Pick<SelectionConfig, 'actors'>): ActorMemory {
  const of = <T>(value: T) => Array.from({ length: cellCount(actors) }, () => value)
  return { weights: of(0), rewards: of<number | null>(null), counts: of(0), everRewarded: of(false) }
}
