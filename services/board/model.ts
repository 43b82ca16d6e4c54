import type { DeadLetter, Offset, Run, Source } from '../../schemas/index.ts'
import { describe } from '../../topologies/describe.ts'
import type { Delivered } from '../../topologies/node.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import { DeadLetterModel } from './dead-letter-model.ts'
import { RunModel } from './run-model.ts'
import type { BoardPatch, RunInfo, RunPatch, SourceView, Traffic } from './shape.ts'

/** The latest runs that are followed. Each costs some requests a second and up to a few megabytes. */
export const runsMax = 16
/** Source files that are shown; the documents of others are found by their text. */
const sourcesMax = 2000

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
  readonly #sources = new Map<string, SourceView>()
  #sourcesChanged = false
  #traffic: Traffic | undefined
  #trafficChanged = false
  #problem: string | null = null
  #problemChanged = false

  /** @returns the run where it is new. */
  addRun({ run, config, replayOf }: Pick<Run, 'run' | 'config' | 'replayOf'>): FollowedRun | undefined {
    if (this.runs.has(run)) return undefined
    const parsed = parseRunConfig(JSON.parse(config))
    const followed = { config: parsed, model: new RunModel(infoOf(parsed, replayOf)) }
    this.runs.set(run, followed)
    this.#newRuns.add(run)
    const oldest = this.runs.keys().next().value
    if (this.runs.size > runsMax && oldest !== undefined) this.runs.delete(oldest)
    return followed
  }

  /** @param atMs when the record was written */
  applyToRun(run: string, delivered: Delivered, atMs: number | null): void {
    this.runs.get(run)?.model.apply(delivered, atMs)
  }

  addDeadLetter(offset: Offset, letter: DeadLetter): void {
    this.#deadLetters.add(offset, letter)
  }

  addSource({ name, source, documents, rejected, complete }: Source): void {
    if (!this.#sources.has(name) && this.#sources.size >= sourcesMax) return
    this.#sources.set(name, { name, source, documents, rejected, complete })
    this.#sourcesChanged = true
  }

  get sources(): readonly SourceView[] {
    return [...this.#sources.values()]
  }

  /** What keeps the board from reading, null where nothing does. @returns whether that is news */
  setProblem(problem: string | null): boolean {
    const isNews = problem !== this.#problem
    this.#problem = problem
    this.#problemChanged ||= isNews
    return isNews
  }

  setTraffic(traffic: Traffic): void {
    this.#trafficChanged = JSON.stringify(traffic) !== JSON.stringify(this.#traffic)
    this.#traffic = traffic
  }

  snapshot(): BoardPatch {
    return {
      runs: Object.fromEntries([...this.runs].map(([name, { model }]) => [name, model.snapshot()])),
      sources: this.sources,
      deadLetters: this.#deadLetters.view(),
      problem: this.#problem,
      ...(this.#traffic !== undefined && { traffic: this.#traffic }),
    }
  }

  /** What changed since it was asked last; undefined: nothing. */
  takeChanges(): BoardPatch | undefined {
    const runs: Record<string, RunPatch> = {}
    for (const [name, { model }] of this.runs) {
      const changes = model.takeChanges()
      if (this.#newRuns.has(name)) runs[name] = model.snapshot()
      else if (changes !== undefined) runs[name] = changes
    }
    this.#newRuns.clear()
    const deadLetters = this.#deadLetters.takeChanges()
    const traffic = this.#trafficChanged ? this.#traffic : undefined
    const sources = this.#sourcesChanged ? this.sources : undefined
    this.#trafficChanged = false
    this.#sourcesChanged = false
    const problem = this.#problemChanged ? this.#problem : undefined
    this.#problemChanged = false
    const ofRuns = Object.keys(runs).length > 0 ? runs : undefined
    if ([ofRuns, sources, deadLetters, traffic, problem].every((part) => part === undefined)) return undefined
    return {
      ...(ofRuns !== undefined && { runs: ofRuns }),
      ...(sources !== undefined && { sources }),
      ...(deadLetters !== undefined && { deadLetters }),
      ...(traffic !== undefined && { traffic }),
      ...(problem !== undefined && { problem }),
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
