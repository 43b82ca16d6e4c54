import type { DeadLetter, Offset, Run, Source } from '../../schemas/index.ts'
import { describe } from '../../topologies/describe.ts'
import type { Delivered } from '../../topologies/node.ts'
import { type RunConfig, recordedConfig } from '../../topologies/run-config.ts'
import { type RunState, sortOf } from '../runs/run-state.ts'
import type { UnreadableRun } from '../runs/unreadable.ts'
import { sumOf } from '../runtime/lag.ts'
import { DeadLetterModel } from './dead-letter-model.ts'
import { actorsOf, RunModel } from './run-model.ts'
import type { BoardPatch, RunInfo, RunPatch, SourceView, Traffic } from './shape.ts'

/** The latest runs that are followed. Each costs some requests a second and up to a few megabytes. */
export const runsMax = 16
/** Source files that are shown; documents of others are found by their text. */
const sourcesMax = 2000

export interface FollowedRun {
  readonly config: RunConfig
  readonly model: RunModel
  /** As last recorded. */
  record: Run
  status?: RunState
}

/** What the board knows, folded from the topics: pure, bounded and deterministic. */
export class BoardModel {
  /** By name, in the order of recording. */
  readonly runs = new Map<string, FollowedRun>()
  readonly #deadLetters = new DeadLetterModel()
  readonly #newRuns = new Set<string>()
  readonly #newStatus = new Set<string>()
  readonly #removed = new Set<string>()
  readonly #sources = new Map<string, SourceView>()
  #sourcesChanged = false
  #traffic: Traffic | undefined
  #trafficChanged = false
  #unreadable: readonly UnreadableRun[] = []
  #unreadableChanged = false
  #evalSets: string | undefined
  #problem: string | null = null
  #problemChanged = false

  /** Adds or updates a run. Archived ones are not shown. */
  addRun(record: Run): void {
    const { run, recordedMs, life } = record
    const known = this.runs.get(run)
    // Its name may have been deleted and recorded again.
    if (life === 'archived' || (known !== undefined && known.record.recordedMs !== recordedMs)) this.removeRun(run)
    if (life === 'archived') return
    const same = this.runs.get(run)
    if (same !== undefined) {
      same.record = record
      return
    }
    const config = recordedConfig(record)
    const schedule = { ...config.trainer, totalSteps: config.steps }
    this.runs.set(run, {
      config,
      model: new RunModel(infoOf(config, record, this.#evalSets), schedule, config),
      record,
    })
    this.#newRuns.add(run)
    this.#removed.delete(run)
    // News of a run that was forgotten, for example that it ended, do not make it a new one.
    if (this.runs.size > runsMax) this.runs.delete(this.#oldest())
  }

  #oldest(): string {
    const [first, ...others] = this.runs.values()
    const recordedMs = ({ record }: FollowedRun) => record.recordedMs ?? 0
    return others.reduce((oldest, one) => (recordedMs(one) < recordedMs(oldest) ? one : oldest), first!).config.name
  }

  removeRun(run: string): void {
    if (!this.runs.delete(run)) return
    this.#newRuns.delete(run)
    this.#removed.add(run)
  }

  /** The version of the recorded evaluation sets; undefined: there are none. */
  get evalSets(): string | undefined {
    return this.#evalSets
  }

  /** Where there are sets, the dataflow of each run has the station that compares documents with them. */
  setEvalSets(version: string | undefined): void {
    const shown = (version === undefined) !== (this.#evalSets === undefined)
    this.#evalSets = version
    if (!shown) return
    for (const { config, record, model } of this.runs.values()) model.setInfo(infoOf(config, record, version))
  }

  setUnreadable(runs: readonly UnreadableRun[]): void {
    if (JSON.stringify(runs) === JSON.stringify(this.#unreadable)) return
    this.#unreadable = runs
    this.#unreadableChanged = true
  }

  setStatus(run: string, status: RunState): void {
    const followed = this.runs.get(run)
    if (followed === undefined || JSON.stringify(followed.status) === JSON.stringify(status)) return
    followed.status = status
    this.#newStatus.add(run)
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

  /** Documents of all sources; null if there are more sources than are kept. */
  get documents(): number | null {
    return this.#sources.size < sourcesMax ? sumOf(this.sources.map(({ documents }) => documents)) : null
  }

  /** What keeps the board from reading, or null. @returns whether that is news */
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
      runs: Object.fromEntries([...this.runs].map(([name, followed]) => [name, wholeOf(followed)])),
      sources: this.sources,
      deadLetters: this.#deadLetters.view(),
      unreadable: this.#unreadable,
      problem: this.#problem,
      ...(this.#traffic !== undefined && { traffic: this.#traffic }),
    }
  }

  /** What changed since the last call; undefined: nothing. */
  takeChanges(): BoardPatch | undefined {
    const runs: Record<string, RunPatch> = {}
    for (const [name, followed] of this.runs) {
      const changes = followed.model.takeChanges()
      const status = this.#newStatus.has(name) ? statusOf(followed) : {}
      if (this.#newRuns.has(name)) runs[name] = wholeOf(followed)
      else if (changes !== undefined || this.#newStatus.has(name)) runs[name] = { ...changes, ...status }
    }
    const removed = this.#removed.size > 0 ? [...this.#removed] : undefined
    this.#newRuns.clear()
    this.#newStatus.clear()
    this.#removed.clear()
    const deadLetters = this.#deadLetters.takeChanges()
    const traffic = this.#trafficChanged ? this.#traffic : undefined
    const sources = this.#sourcesChanged ? this.sources : undefined
    this.#trafficChanged = false
    this.#sourcesChanged = false
    const problem = this.#problemChanged ? this.#problem : undefined
    this.#problemChanged = false
    const unreadable = this.#unreadableChanged ? this.#unreadable : undefined
    this.#unreadableChanged = false
    const ofRuns = Object.keys(runs).length > 0 ? runs : undefined
    if ([ofRuns, removed, unreadable, sources, deadLetters, traffic, problem].every((part) => part === undefined))
      return undefined
    return {
      ...(ofRuns !== undefined && { runs: ofRuns }),
      ...(removed !== undefined && { removed }),
      ...(unreadable !== undefined && { unreadable }),
      ...(sources !== undefined && { sources }),
      ...(deadLetters !== undefined && { deadLetters }),
      ...(traffic !== undefined && { traffic }),
      ...(problem !== undefined && { problem }),
    }
  }
}

const statusOf = ({ status }: FollowedRun): RunPatch => (status === undefined ? {} : { status })
const wholeOf = (followed: FollowedRun): RunPatch => ({ ...followed.model.snapshot(), ...statusOf(followed) })

function infoOf(run: RunConfig, { replayOf, recordedMs }: Run, evalSets: string | undefined): RunInfo {
  const { name, selection, steps, updateSteps, sampleDocuments } = run
  return {
    ...describe(run, { evalSets: evalSets !== undefined }),
    name,
    replayOf,
    kind: sortOf({ replayOf }, run),
    recordedMs,
    strategy: selection.strategy ?? null,
    actors: actorsOf(selection.actors),
    firstSelection: selection.firstSelection,
    collaboration: selection.collaboration,
    update: selection.update,
    budget: selection.budget,
    steps,
    updateSteps,
    sampleDocuments,
  }
}
