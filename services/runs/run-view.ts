import { Evaluation, Manifest, Progress, RoundClosed, RoundOpened, RoundRelabelled } from '../../schemas/index.ts'
import { withStage } from '../../topologies/console/staging.ts'
import type { Delivered } from '../../topologies/node.ts'
import { type Configuration, changesRun, configurationBy } from '../../topologies/rounds/configuration.ts'
import type { RunConfig } from '../../topologies/run-config.ts'

export interface RunViewLimits {
  /** Only this many of the last rounds are kept. */
  readonly rounds: number
  /** The requested documents are kept for this many of the last rounds only: they are most of a round's memory. */
  readonly sampledRounds: number
  /** Maximum number of reports kept: beyond it every second one with only a training loss is dropped, evaluations stay. */
  readonly steps: number
}

const all = Number.POSITIVE_INFINITY
const unlimited: RunViewLimits = { rounds: all, sampledRounds: all, steps: all }

/**
 * What trainer and console of a run have reported: the fold of its topics that board, `top`, `status` and replay share. Topics may be read in
 * any order; of several records of a round the last counts.
 */
export class RunView {
  /** With the labels of their stages. */
  readonly opened = new Map<number, RoundOpened>()
  /** What was decided about the labels of rounds that wait for a stage. */
  readonly relabelled = new Map<number, RoundRelabelled>()
  readonly closed = new Map<number, RoundClosed>()
  readonly manifests = new Map<number, Manifest>()
  /** What the console has found its selections to be worth, by round. */
  readonly evaluations = new Map<number, Evaluation>()
  /** Openings that changed the run's actors, settings or guards: few, and kept. */
  readonly #changed = new Map<number, RoundOpened>()
  readonly #limits: RunViewLimits
  #progress = new Map<number, Progress>()

  constructor(limits: RunViewLimits = unlimited) {
    this.#limits = limits
  }

  /** Records of other types are ignored. */
  apply({ record, value }: Pick<Delivered, 'record' | 'value'>): void {
    if (record === Progress.name) this.#report(value as Progress)
    if (record === RoundOpened.name) this.#open(value as RoundOpened)
    if (record === RoundClosed.name) this.#keep(this.closed, value as RoundClosed)
    if (record === RoundRelabelled.name) this.#relabel(value as RoundRelabelled)
    if (record === Manifest.name) this.#keep(this.manifests, value as Manifest)
    if (record === Evaluation.name) this.#keep(this.evaluations, value as Evaluation)
  }

  /** The configuration of the run's rounds. @param recorded with the run */
  configurationOf(recorded: RunConfig): Configuration {
    return configurationBy(recorded, this.#changed.values())
  }

  /** Reports by step. */
  get progress(): ReadonlyMap<number, Progress> {
    return this.#progress
  }

  /** The report of the highest step. */
  get lastReport(): Progress | undefined {
    return lastOf(this.#progress)
  }

  /** The report of the highest step that has this loss. */
  lastWith(loss: 'trainLoss' | 'referenceLoss'): Progress | undefined {
    return lastOf(this.#progress, (report) => report[loss] !== null)
  }

  /** The last round opened, closed, selected. */
  get lastOpened(): RoundOpened | undefined {
    return lastOf(this.opened)
  }
  get lastClosed(): RoundClosed | undefined {
    return lastOf(this.closed)
  }
  get lastManifest(): Manifest | undefined {
    return lastOf(this.manifests)
  }

  #relabel(relabelled: RoundRelabelled): void {
    this.#keep(this.relabelled, relabelled)
    const opened = this.opened.get(relabelled.round)
    if (opened !== undefined) this.#open(opened)
  }

  #open(given: RoundOpened): void {
    const relabelled = this.relabelled.get(given.round)
    const opened = relabelled === undefined ? given : withStage(given, relabelled)
    if (changesRun(opened)) this.#changed.set(opened.round, opened)
    this.#keep(this.opened, opened)
    const older = this.opened.get(opened.round - this.#limits.sampledRounds)
    if (older !== undefined) this.opened.set(older.round, { ...older, samples: [] })
  }

  #keep<T extends { readonly round: number }>(rounds: Map<number, T>, value: T): void {
    rounds.set(value.round, value)
    rounds.delete(value.round - this.#limits.rounds)
  }

  #report(report: Progress): void {
    const { step } = report
    const before = this.#progress.get(step)
    this.#progress.set(step, before === undefined ? report : merged(before, report))
    if (this.#progress.size <= this.#limits.steps) return
    const thinned = [...this.#progress].filter(([, one], i) => i % 2 === 0 || one.referenceLoss !== null)
    this.#progress = new Map(thinned.slice(-this.#limits.steps))
  }
}

/** A step reported twice (after a kill) counts once, with what either report has. */
const merged = (before: Progress, after: Progress): Progress => ({
  ...after,
  trainLoss: before.trainLoss ?? after.trainLoss,
  referenceLoss: after.referenceLoss ?? before.referenceLoss,
  corpusLoss: after.corpusLoss ?? before.corpusLoss,
  checkpoint: after.checkpoint ?? before.checkpoint,
})

function lastOf<T>(byNumber: ReadonlyMap<number, T>, counts: (value: T) => boolean = () => true): T | undefined {
  let last = -1
  for (const [number, value] of byNumber) if (number > last && counts(value)) last = number
  return byNumber.get(last)
}

/** Rounds or steps, ascending. */
export const ascending = <T>(byNumber: ReadonlyMap<number, T>): T[] =>
  [...byNumber].sort(([a], [b]) => a - b).map(([, value]) => value)
