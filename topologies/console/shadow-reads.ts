import type { ReadsSource, SelectedRound } from './reads.ts'

/**
 * What a shadow's rounds know of earlier ones: the selections that the leader's trainer was given and has read, which the corpus store keeps under the
 * shadow's own name, so that it depends on nothing that the leader does with it.
 */
export const historyFor = (shadow: string, history: readonly SelectedRound[]): SelectedRound[] =>
  history.map(({ run, manifest, read }) => ({
    run: { ...run, name: shadow },
    manifest: { ...manifest, run: shadow },
    read,
  }))

/** The documents of those selections stand in the leader's stream. */
export const readsFor = (leader: string, source: ReadsSource): ReadsSource => ({
  selection: (manifest, index) => source.selection({ ...manifest, run: leader }, index),
})

export const ascendingRounds = (byRound: ReadonlyMap<number, unknown>): number[] =>
  [...byRound.keys()].sort((a, b) => a - b)
