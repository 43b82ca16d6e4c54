import type { LabelerFit } from '../../../schemas/index.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { readChanges } from '../actor-changes.ts'
import { countDocuments } from '../label-progress.ts'

/** A version of labels that a run has selected by, or waits for. */
export interface StageOfRun {
  readonly actor: string
  readonly version: string
  /** null: the labels that the run was recorded with. */
  readonly fit: LabelerFit | null
  readonly documents: number
  readonly labelled: number
  readonly state: 'selecting' | 'replaced' | 'waiting'
  /** The first round that selects by it; null: none yet. */
  readonly from: number | null
  /** The last one; null: it is the version in force, or none selects by it. */
  readonly until: number | null
}

/** The versions of the labels that a run's actors were given one after the other, those that the run was recorded with first. */
export async function stagesOfRun(runtime: Runtime, run: RunConfig): Promise<StageOfRun[]> {
  const { configuration, waiting } = await readChanges(runtime, run)
  const relabelled = [
    ...configuration.changes.map(({ round, change }) => ({ round, change })),
    ...waiting.map((change) => ({ round: null, change })),
  ].filter(({ change }) => change.kind === 'relabel')
  const found: StageOfRun[] = []
  for (const actor of new Set(relabelled.map(({ change }) => change.actor))) {
    const own = relabelled.filter(({ change }) => change.actor === actor)
    const versions = [
      { version: run.labelers[actor] ?? '', fit: null, from: 0 },
      ...own.map(({ round, change: { labelerVersion, fit } }) => ({ version: labelerVersion, fit, from: round })),
    ].filter(({ version }) => version !== '')
    for (const [i, { version, fit, from }] of versions.entries()) {
      const { documents, complete } = await countDocuments(runtime, new Map([[actor, version]]))
      const next = versions[i + 1]?.from ?? null
      const state = from === null ? 'waiting' : next === null ? 'selecting' : 'replaced'
      found.push({
        actor,
        version,
        fit,
        documents,
        labelled: complete,
        state,
        from,
        until: next === null ? null : next - 1,
      })
    }
  }
  return found
}
