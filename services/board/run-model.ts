import type { ActorState, Manifest, Progress, Reward, RoundClosed, RoundOpened } from '../../schemas/index.ts'
import { chunkCount } from '../../topologies/console/parts.ts'
import type { Delivered } from '../../topologies/node.ts'
import { changeInWords, changesRun } from '../../topologies/rounds/configuration.ts'
import { otherTextInWords } from '../../topologies/rounds/other-text.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { guardedStrataInWords } from '../../topologies/selection/guards.ts'
import { guardsInWords } from '../../topologies/selection/guards-config.ts'
import { withNaturalShare } from '../../topologies/selection/other-bound.ts'
import { type LearningRateSchedule, learningRateAt } from '../model/schedule.ts'
import { ascending, RunView } from '../runs/run-view.ts'
import { sumOf } from '../runtime/lag.ts'
import { RoundRewards } from './round-rewards.ts'
import type { ManifestView, ProgressPoint, RoundView, RunInfo, RunPatch } from './shape.ts'

/** More points are useless: a plot is some hundred pixels wide. */
const pointsMax = 4000
const roundsMax = 2000
/** Rounds whose requested documents are remembered: a reward later than that is not counted as late. */
const askedRoundsMax = 32

interface Round {
  readonly states: Record<string, { weights: number[]; rewards: (number | null)[]; counts: number[] }>
  readonly rewards: RoundRewards
}

/** What the board knows of one run, folded from its topics in any order; bounded in rounds and points. */
export class RunModel {
  #info: RunInfo
  #infoChanged = false
  readonly #schedule: LearningRateSchedule
  readonly #recorded: RunConfig
  readonly view = new RunView({ rounds: roundsMax, sampledRounds: 1, steps: pointsMax })
  readonly #rounds = new Map<number, Round>()
  /** Global index into its selection that the trainer has reached, by round. */
  readonly positions = new Map<number, number>()
  /** When a step was first reported. */
  readonly #reportedMs = new Map<number, number | null>()
  #changedRounds = new Set<number>()
  #changedSteps = new Set<number>()

  /** @param recorded the run as it was recorded */
  constructor(info: RunInfo, schedule: LearningRateSchedule, recorded: RunConfig) {
    this.#info = info
    this.#recorded = recorded
    this.#schedule = schedule
  }

  get info(): RunInfo {
    return this.#info
  }

  /** As what is around the run has changed. */
  setInfo(info: RunInfo): void {
    this.#info = info
    this.#infoChanged = true
  }

  /** Manifests with what reading a selection needs. */
  get manifests(): ReadonlyMap<number, Manifest> {
    return this.view.manifests
  }

  /** Records of topics that the board does not read, as the console tells of them; null where the first rounds are forgotten. */
  get told(): { rewardRequests: number; selections: number } | null {
    if (!this.#rounds.has(0)) return null
    const manifests = [...this.manifests.values()]
    return {
      rewardRequests: sumOf([...this.#rounds.values()].map(({ rewards }) => rewards.askedInAll)),
      selections: sumOf(manifests.map(chunkCount)),
    }
  }

  /** @param atMs when the record was written */
  apply(delivered: Delivered, atMs: number | null): void {
    const { record, value, partition, offset } = delivered
    this.view.apply(delivered)
    switch (record) {
      case 'Progress':
        this.#onProgress(value as Progress, atMs)
        return
      case 'RoundOpened':
        this.#onOpened(value as RoundOpened)
        return
      case 'RoundClosed':
        this.#round((value as RoundClosed).round).rewards.closed(value as RoundClosed)
        return
      case 'Manifest':
        this.#round((value as Manifest).round)
        return
      case 'ActorState': {
        const { round, actor, weights, rewards, counts } = value as ActorState
        this.#round(round).states[actor] = { weights, rewards, counts }
        return
      }
      case 'Reward': {
        const reward = value as Reward
        this.#round(reward.round).rewards.add({ partition, offset, reward })
        return
      }
    }
  }

  /** Everything. */
  snapshot(): RunPatch {
    const rounds = [...this.#rounds.keys()].sort((a, b) => a - b)
    const progress = ascending(this.view.progress).map((report) => this.#pointOf(report))
    return { info: this.info, rounds: rounds.map((round) => this.#viewOf(round)), progress }
  }

  /** What changed since the last call; undefined: nothing. */
  takeChanges(): RunPatch | undefined {
    if (this.#changedRounds.size === 0 && this.#changedSteps.size === 0 && !this.#infoChanged) return undefined
    const info = this.#infoChanged ? { info: this.#info } : {}
    this.#infoChanged = false
    const rounds = [...this.#changedRounds]
      .filter((round) => this.#rounds.has(round))
      .map((round) => this.#viewOf(round))
    const changed = [...this.#changedSteps].flatMap((step) => this.view.progress.get(step) ?? [])
    const progress = changed.map((report) => this.#pointOf(report))
    this.#changedRounds = new Set()
    this.#changedSteps = new Set()
    return { ...info, rounds, progress }
  }

  #round(number: number): Round {
    this.#changedRounds.add(number)
    const known = this.#rounds.get(number)
    if (known !== undefined) return known
    const round: Round = { states: {}, rewards: new RoundRewards() }
    this.#rounds.set(number, round)
    this.#rounds.get(number - askedRoundsMax)?.rewards.forget()
    this.#rounds.delete(number - roundsMax)
    this.positions.delete(number - roundsMax)
    return round
  }

  #onOpened(opened: RoundOpened): void {
    this.#round(opened.round).rewards.opened(opened)
    // What follows has its actors too, and may have been read before it.
    if (changesRun(opened))
      for (const round of this.#rounds.keys()) if (round > opened.round) this.#changedRounds.add(round)
  }

  /** How the run selects in a round. */
  #selectionAt(round: number): RunConfig['selection'] {
    const { selection } = this.view.configurationOf(this.#recorded).at(round)
    return withNaturalShare(selection, this.view.opened.get(round)?.otherText?.share)
  }

  #onProgress({ step, round, position }: Progress, atMs: number | null): void {
    if (position > (this.positions.get(round) ?? -1)) {
      this.positions.set(round, position)
      this.#changedRounds.add(round)
    }
    if (!this.#reportedMs.has(step)) this.#reportedMs.set(step, atMs)
    this.#changedSteps.add(step)
    if (this.#reportedMs.size <= 2 * pointsMax) return
    for (const known of this.#reportedMs.keys()) if (!this.view.progress.has(known)) this.#reportedMs.delete(known)
  }

  #pointOf({ step, tokens, round, trainLoss, referenceLoss, corpusLoss, checkpoint }: Progress): ProgressPoint {
    const atMs = this.#reportedMs.get(step) ?? null
    const learningRate = learningRateAt(Math.max(0, step - 1), this.#schedule)
    const losses = { trainLoss, referenceLoss, corpusLoss }
    return { atMs, step, tokens, round, ...losses, checkpoint: checkpoint?.path ?? null, learningRate }
  }

  /** In words, with what the bound on other text came to. */
  #guardsOf(number: number): string[] {
    const { guards = { rules: [] } } = this.#selectionAt(number)
    const otherText = this.view.opened.get(number)?.otherText ?? null
    return [...guardsInWords(guards), ...(otherText === null ? [] : [otherTextInWords(otherText)])]
  }

  #viewOf(number: number): RoundView {
    const { states, rewards } = this.#rounds.get(number)!
    const opened = this.view.opened.get(number)
    const closed = this.view.closed.get(number)
    const manifest = this.view.manifests.get(number)
    const selection = this.#selectionAt(number)
    const actors = actorsOf(selection.actors)
    return {
      round: number,
      step: opened?.step ?? null,
      previousRead: opened?.previousRead ?? null,
      asked: rewards.asked(selection.actors),
      closed: closed === undefined ? null : { reason: closed.reason, missing: closed.missing },
      late: rewards.late,
      rewards: rewards.spreads(selection.actors),
      states,
      manifest: manifest === undefined ? null : manifestView(manifest, selection),
      actors: JSON.stringify(actors) === JSON.stringify(this.#info.actors) ? null : actors,
      changes: (opened?.changes ?? []).map((change) => changeInWords(change, number)),
      guards: this.#guardsOf(number),
      read: this.positions.get(number) ?? null,
    }
  }
}

/** Actors as the page has them. */
export const actorsOf = (actors: RunConfig['selection']['actors']): RunInfo['actors'] =>
  actors.map(({ name, subcategories, eta }) => ({ name, subcategories, eta }))

function manifestView(manifest: Manifest, selection: RunConfig['selection']): ManifestView {
  const { step, theta, weights, actorRewards, documents, tokens, threshold, marginal, strata } = manifest
  const { selectionDigest, histogramDigest } = manifest
  const cut = marginal && { score: marginal.score, documents: marginal.documents, taken: marginal.taken }
  const numbers = { step, theta, weights, actorRewards, documents, tokens, threshold }
  const names = guardedStrataInWords(selection)
  const given = strata?.map(({ keyLast: _, ...stratum }, s) => ({ ...stratum, guarded: names[s] ?? null })) ?? null
  return { ...numbers, marginal: cut, selectionDigest, histogramDigest, strata: given }
}
