import type { DeadLetter, Run } from '../../schemas/index.ts'
import { describe } from '../../topologies/describe.ts'
import type { Delivered } from '../../topologies/node.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import { DeadLetterModel } from './dead-letter-model.ts'
import { RunModel } from './run-model.ts'
import type { BoardPatch, RunInfo, RunPatch, Traffic } from './shape.ts'

/** The latest runs that are followed. Each costs some requests a second and up to a few megabytes. */
export const runsMax = 16

export interface FollowedRun {
  readonly config: RunConfig
  readonly model: RunModel
}

/** What the board knows, folded from the topics: pure, bounded, and the same whoever folds it. */
export class BoardModel {
  /** By name, in the order of recording. */
  readonly runs = new Map<string, FollowedRun>()
  readonly #deadLetters = new DeadLetterModel()
  readonly #newRuns = new Set<string>()
  #traffic: Traffic | undefined
  #trafficChanged = false

  /** @returns the run where it is new. */
  addRun({ run, config, replayOf }: Run): FollowedRun | undefined {
    if (this.runs.has(run)) return undefined
    const parsed = parseRunConfig(JSON.parse(config))
    const followed = { config: parsed, model: new RunModel(infoOf(parsed, replayOf)) }
    this.runs.set(run, followed)
    this.#newRuns.add(run)
    const oldest = this.runs.keys().next().value
    if (this.runs.size > runsMax && oldest !== undefined) this.runs.delete(oldest)
    return followed
  }

  applyToRun(run: string, delivered: Delivered): void {
    this.runs.get(run)?.model.apply(delivered)
  }

  addDeadLetter(offset: number, letter: DeadLetter): void {
    this.#deadLetters.add(offset, letter)
  }

  setTraffic(traffic: Traffic): void {
    this.#trafficChanged = JSON.stringify(traffic) !== JSON.stringify(this.#traffic)
    this.#traffic = traffic
  }

  whole(): BoardPatch {
    return {
      runs: Object.fromEntries([...this.runs].map(([name, { model }]) => [name, model.whole()])),
      deadLetters: this.#deadLetters.view(),
      ...(this.#traffic !== undefined && { traffic: this.#traffic }),
    }
  }

  /** What changed since it was asked last; undefined: nothing. */
  takeChanges(): BoardPatch | undefined {
    const runs: Record<string, RunPatch> = {}
    for (const [name, { model }] of this.runs) {
      const changes = model.takeChanges()
      if (this.#newRuns.has(name)) runs[name] = model.whole()
      else if (changes !== undefined) runs[name] = changes
    }
    this.#newRuns.clear()
    const deadLetters = this.#deadLetters.takeChanges()
    const traffic = this.#trafficChanged ? this.#traffic : undefined
    this.#trafficChanged = false
    if (Object.keys(runs).length === 0 && deadLetters === undefined && traffic === undefined) return undefined
    return {
      ...(Object.keys(runs).length > 0 && { runs }),
      ...(deadLetters !== undefined && { deadLetters }),
      ...(traffic !== undefined && { traffic }),
    }
  }
}

function infoOf(run: RunConfig, replayOf: string | null): RunInfo {
  const { name, selection, steps, updateSteps, sampleDocuments } = run
  return {
    ...describe(run),
    name,
    replayOf,
    actors: selection.actors.map(({ name: actor, subcategories, eta }) => ({ name: actor, subcategories, eta })),
    collaboration: selection.collaboration,
    update: selection.update,
    budget: selection.budget,
    steps,
    updateSteps,
    sampleDocuments,
  }
}
