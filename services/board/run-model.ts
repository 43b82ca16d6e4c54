import type { ActorState, Manifest, Progress, Reward, RoundClosed, RoundOpened } from '../../schemas/index.ts'
import type { Delivered } from '../../topologies/node.ts'
import { RoundRewards } from './round-rewards.ts'
import type { ManifestView, ProgressPoint, RoundView, RunInfo, RunPatch } from './shape.ts'

/** More would be thinned by the eye anyway: a plot is some hundred pixels wide. */
const pointsMax = 4000
const roundsMax = 2000
/** Rounds whose asked documents are remembered: a reward later than that is not counted as late. */
const askedRoundsMax = 32

interface Round {
  step: number | null
  previousRead: number | null
  closed: RoundClosed | undefined
  manifest: ManifestView | null
  readonly states: Record<string, { weights: number[]; rewards: (number | null)[]; counts: number[] }>
  readonly rewards: RoundRewards
}

/** What the board knows of one run, folded from its topics in any order between them; bounded in rounds and points. */
export class RunModel {
  readonly info: RunInfo
  readonly #actors: string[]
  readonly #sizes: number[]
  readonly #rounds = new Map<number, Round>()
  /** Manifests with what reading a selection needs. */
  readonly manifests = new Map<number, Manifest>()
  /** Global index into its selection that the trainer has come to, by round. */
  readonly positions = new Map<number, number>()
  #progress = new Map<number, ProgressPoint>()
  #changedRounds = new Set<number>()
  #changedSteps = new Set<number>()

  constructor(info: RunInfo) {
    this.info = info
    this.#actors = info.actors.map(({ name }) => name)
    this.#sizes = info.actors.map(({ subcategories }) => subcategories.length)
  }

  /** @param atMs when the record was written */
  apply({ record, value, partition, offset }: Delivered, atMs: number | null): void {
    switch (record) {
      case 'Progress':
        this.#onProgress(value as Progress, atMs)
        return
      case 'RoundOpened': {
        const opened = value as RoundOpened
        const round = this.#round(opened.round)
        round.step = opened.step
        round.previousRead = opened.previousRead
        round.rewards.opened(opened, this.#sizes)
        return
      }
      case 'RoundClosed': {
        const closed = value as RoundClosed
        const round = this.#round(closed.round)
        round.closed = closed
        round.rewards.closed(closed)
        return
      }
      case 'Manifest': {
        const manifest = value as Manifest
        this.#round(manifest.round).manifest = manifestView(manifest)
        this.manifests.set(manifest.round, manifest)
        return
      }
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
  whole(): RunPatch {
    const rounds = [...this.#rounds.keys()].sort((a, b) => a - b)
    const progress = [...this.#progress.values()].sort((a, b) => a.step - b.step)
    return { info: this.info, rounds: rounds.map((round) => this.#view(round)), progress }
  }

  /** What changed since it was asked last; undefined: nothing. */
  takeChanges(): RunPatch | undefined {
    if (this.#changedRounds.size === 0 && this.#changedSteps.size === 0) return undefined
    const rounds = [...this.#changedRounds].filter((round) => this.#rounds.has(round)).map((round) => this.#view(round))
    const progress = [...this.#changedSteps].flatMap((step) => this.#progress.get(step) ?? [])
    this.#changedRounds = new Set()
    this.#changedSteps = new Set()
    return { rounds, progress }
  }

  #round(number: number): Round {
    this.#changedRounds.add(number)
    const known = this.#rounds.get(number)
    if (known !== undefined) return known
    const rewards = new RoundRewards(this.#actors)
    const round: Round = { step: null, previousRead: null, closed: undefined, manifest: null, states: {}, rewards }
    this.#rounds.set(number, round)
    this.#rounds.get(number - askedRoundsMax)?.rewards.forget()
    this.#rounds.delete(number - roundsMax)
    this.manifests.delete(number - roundsMax)
    this.positions.delete(number - roundsMax)
    return round
  }

  /** A step reported twice (after a kill) counts once, with what either report knows. */
  #onProgress(progress: Progress, atMs: number | null): void {
    const { step, tokens, round, position, trainLoss, referenceLoss, corpusLoss, checkpoint } = progress
    this.positions.set(round, Math.max(position, this.positions.get(round) ?? 0))
    const before = this.#progress.get(step)
    this.#progress.set(step, {
      atMs: before?.atMs ?? atMs,
      step,
      tokens,
      round,
      trainLoss: before?.trainLoss ?? trainLoss,
      referenceLoss: referenceLoss ?? before?.referenceLoss ?? null,
      corpusLoss: corpusLoss ?? before?.corpusLoss ?? null,
      checkpoint: checkpoint !== null,
    })
    this.#changedSteps.add(step)
    if (this.#progress.size <= pointsMax) return
    // Every second of those that hold nothing but a training loss goes; evaluations stay.
    const thinned = [...this.#progress].filter(([, point], i) => i % 2 === 0 || point.referenceLoss !== null)
    this.#progress = new Map(thinned.slice(-pointsMax))
  }

  #view(number: number): RoundView {
    const { step, previousRead, closed, manifest, states, rewards } = this.#rounds.get(number)!
    return {
      round: number,
      step,
      previousRead,
      asked: rewards.asked,
      closed: closed === undefined ? null : { reason: closed.reason, missing: closed.missing },
      late: rewards.late,
      rewards: rewards.spreads(this.#sizes),
      states,
      manifest,
    }
  }
}

function manifestView(manifest: Manifest): ManifestView {
  const { step, theta, weights, actorRewards, documents, tokens, threshold, selectionDigest, histogramDigest } =
    manifest
  const marginal = manifest.marginal && {
    score: manifest.marginal.score,
    documents: manifest.marginal.documents,
    taken: manifest.marginal.taken,
  }
  return {
    step,
    theta,
    weights,
    actorRewards,
    documents,
    tokens,
    threshold,
    marginal,
    selectionDigest,
    histogramDigest,
  }
}
