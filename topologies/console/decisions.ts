import { Evaluation, Manifest, RoundClosed, RoundOpened, RoundRelabelled } from '../../schemas/index.ts'
import { Configuration } from '../rounds/configuration.ts'
import type { RunConfig } from '../run-config.ts'
import { isEvaluated } from './evaluating.ts'
import { readsKnown, type SelectedRound } from './reads.ts'
import { hasStage, withStage } from './staging.ts'

/** What a run's console has decided, by round, as its state topic says. */
export class Decisions {
  readonly opened = new Map<number, RoundOpened>()
  readonly closed = new Map<number, RoundClosed>()
  readonly relabelled = new Map<number, RoundRelabelled>()
  readonly manifests = new Map<number, Manifest>()
  readonly evaluations = new Map<number, Evaluation>()
  readonly #recorded: RunConfig
  /** The run as each round has it. */
  readonly configuration: Configuration

  /** @param recorded the run as it was recorded */
  constructor(recorded: RunConfig) {
    this.#recorded = recorded
    this.configuration = new Configuration(recorded)
  }

  /** @param record name of the decision's type; others are passed over */
  learn(record: string, value: unknown): void {
    if (record === RoundOpened.name) {
      const opened = value as RoundOpened
      this.opened.set(opened.round, opened)
      this.configuration.learn(opened)
    }
    if (record === RoundClosed.name) this.closed.set((value as RoundClosed).round, value as RoundClosed)
    if (record === RoundRelabelled.name) this.#relabel(value as RoundRelabelled)
    if (record === Manifest.name) this.manifests.set((value as Manifest).round, value as Manifest)
    if (record === Evaluation.name) this.evaluations.set((value as Evaluation).round, value as Evaluation)
  }

  #relabel(relabelled: RoundRelabelled): void {
    const { round, change } = relabelled
    this.relabelled.set(round, relabelled)
    const opened = this.opened.get(round)
    if (change === null || opened === undefined) return
    this.opened.set(round, withStage(opened, relabelled))
    this.configuration.add(round, change)
  }

  /** The rounds selected before a round, ascending, each with what was read of it when that round opened. */
  history(before: number): SelectedRound[] {
    const known = this.readsKnown(before)
    const rounds = [...this.manifests.keys()].filter((round) => round < before).sort((a, b) => a - b)
    return rounds.map((round) => ({
      run: this.configuration.at(round),
      manifest: this.manifests.get(round)!,
      read: known.get(round) ?? null,
    }))
  }

  /** How much of each selection had been read when this round opened. */
  readsKnown(roundLast: number): Map<number, number | null> {
    const opened = [...this.opened.values()].filter(({ round }) => round <= roundLast)
    return readsKnown(opened.sort((a, b) => a.round - b.round))
  }

  awaitsStage(round: number): boolean {
    return !this.relabelled.has(round) && hasStage(this.#recorded, this.opened.get(round)!)
  }

  awaitsEvaluation(round: number): boolean {
    return !this.evaluations.has(round) && isEvaluated(this.configuration.at(round), this.opened.get(round)!)
  }

  /** Rounds ascending. */
  get evaluationsInOrder(): Evaluation[] {
    return [...this.evaluations.values()].sort((a, b) => a.round - b.round)
  }
}
