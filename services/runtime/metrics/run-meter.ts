import type { Progress } from '../../../schemas/index.ts'
import type { ConsoleEvent } from '../../../topologies/console/ports.ts'
import type { SourceLoss } from '../../../topologies/duplicates/losses.ts'
import { estimateFor, roundsNoBetter } from '../../../topologies/evaluation/evaluate.ts'
import type { Metrics } from './metrics.ts'

/** Sources of which a loss to near duplicates is told. */
const sourcesMax = 20

/** Turns what a run's console and trainer report into metrics. */
export class RunMeter {
  readonly #metrics: Metrics
  readonly #run: string
  #asked = 0
  #openedMs: number | undefined
  #closedMs: number | undefined
  /** Of which a loss is told. */
  readonly #sources = new Set<string>()

  constructor(metrics: Metrics, run: string) {
    this.#metrics = metrics
    this.#run = run
  }

  onConsole(event: ConsoleEvent): void {
    const { run: numbers, clock } = this.#metrics
    const run = this.#run
    const nowMs = clock()
    if (event.kind === 'opened') {
      this.#asked = event.requests
      this.#openedMs = nowMs
      numbers.roundOpenedAt.set({ run }, nowMs / 1000)
    } else if (event.kind === 'closed') {
      this.#closedMs = nowMs
      if (this.#openedMs !== undefined) numbers.rewardSeconds.observe({ run }, (nowMs - this.#openedMs) / 1000)
      numbers.rewardsAsked.inc({ run }, this.#asked)
      numbers.rewardsMissing.inc({ run }, event.missing)
      if (this.#asked > 0) numbers.rewardCoverage.set({ run }, 1 - event.missing / this.#asked)
    } else if (event.kind === 'selected') {
      const { round, documents, actors, theta } = event.manifest
      if (this.#closedMs !== undefined) numbers.reselectionSeconds.observe({ run }, (nowMs - this.#closedMs) / 1000)
      numbers.roundOpenedAt.set({ run }, 0)
      numbers.round.set({ run }, round)
      numbers.selectedDocuments.set({ run }, documents)
      for (const [a, actor] of actors.entries()) numbers.theta.set({ run, actor }, theta[a]!)
    } else if (event.kind === 'evaluated') {
      const estimate = estimateFor(event.evaluations.at(-1)!)
      for (const [bound, gain] of [
        ['estimate', estimate?.gain],
        ['low', estimate?.gainLow],
        ['high', estimate?.gainHigh],
      ] as const)
        if (gain != null) numbers.selectionGain.set({ run, bound }, gain)
      numbers.roundsNoBetter.set({ run }, roundsNoBetter(event.evaluations))
    }
  }

  /** Of the sources whose losses count, at most so many: a series each. */
  onDuplicateLosses(losses: readonly (SourceLoss & { readonly name: string | null })[]): void {
    const { duplicateLossRatio: gauge } = this.#metrics.run
    for (const source of this.#sources) gauge.remove({ run: this.#run, source })
    this.#sources.clear()
    for (const { source: number, name, ratio } of losses.filter(({ counts }) => counts).slice(0, sourcesMax)) {
      const source = name ?? `${number}`
      this.#sources.add(source)
      gauge.set({ run: this.#run, source }, ratio)
    }
  }

  /** @param steps that the run makes in all */
  onProgress({ step, tokens, trainLoss, referenceLoss, corpusLoss }: Progress, steps: number): void {
    const { run: numbers } = this.#metrics
    const run = this.#run
    numbers.step.set({ run }, step)
    numbers.steps.set({ run }, steps)
    numbers.tokens.set({ run }, tokens)
    for (const [kind, loss] of Object.entries({ training: trainLoss, reference: referenceLoss, corpus: corpusLoss }))
      if (loss !== null) numbers.loss.set({ run, kind }, loss)
  }
}
