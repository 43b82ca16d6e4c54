import type { Manifest, Progress } from '../../schemas/index.ts'
import type { Runtime } from '../../services/connections/connections.ts'
import { type Composition, corpusComposition, selectionComposition } from '../../services/runs/composition.ts'
import { readManifests, readProgress } from '../../services/runs/recorded.ts'
import { firstAt } from '../../topologies/experiment/paired.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Beside } from './beside.ts'
import type { CorpusManifest, ReferenceName } from './corpus.ts'

/** What the two runs showed: `npm start -- --json` writes it as it is. Losses in nats per token, shares from 0 to 1. */
export interface Summary {
  readonly run: string
  readonly control: string
  readonly seed: string
  readonly reference: ReferenceName
  /** Documents of the corpus. */
  readonly documents: number
  /** From the start of the demo to the first selection; null: the demo was resumed after it. */
  readonly firstSelectionSeconds: number | null
  /** The last round, which `selected` is about. */
  readonly round: number
  readonly selected: readonly Share[]
  readonly rounds: readonly number[]
  /** By round. A negative theta turns the actor's weights round. */
  readonly actors: readonly {
    actor: string
    theta: number[]
    subcategories: { subcategory: string; weights: number[] }[]
  }[]
  readonly losses: readonly LossRow[]
  readonly verdict: Verdict
  /** With `--trainer python`. */
  readonly beside?: Beside
}

export interface Share {
  readonly actor: string
  readonly subcategory: string
  readonly corpus: number
  readonly selected: number
  /** null: the corpus has none. */
  readonly lift: number | null
}

/** At the same step and tokens; null where the control has not reported. */
export interface LossRow {
  readonly step: number
  readonly tokens: number
  readonly reference: number
  readonly referenceControl: number | null
  readonly otherText: number | null
  readonly otherTextControl: number | null
}

export interface Verdict {
  readonly tokens: number
  /** The run's loss less the control's, at the end. */
  readonly referenceDifference: number
  readonly otherTextDifference: number
  /** Share of the control's tokens that the run needed for the control's final reference loss; null: it did not reach it. */
  readonly shareOfTokens: number | null
}

/** The results of the two runs, from the log alone. */
export async function summaryOf(
  runtime: Runtime,
  runs: { run: RunConfig; control: RunConfig; reference: ReferenceName },
  corpus: CorpusManifest,
  firstSelectionSeconds: number | null,
): Promise<Summary> {
  const { run, control, reference } = runs
  const [manifests, progress, controlProgress] = await Promise.all([
    readManifests(runtime, run.name),
    readProgress(runtime, run.name),
    readProgress(runtime, control.name),
  ])
  const last = manifests.at(-1)!
  const before = await corpusComposition(runtime, run, last)
  const after = await selectionComposition(runtime, run, last)
  const losses = lossesOf(evaluated(progress), evaluated(controlProgress))
  return {
    run: run.name,
    control: control.name,
    seed: `${run.selection.seed}`,
    reference,
    documents: corpus.corpus.documents,
    firstSelectionSeconds,
    round: last.round,
    selected: sharesOf(run, before, after),
    rounds: manifests.map(({ round }) => round),
    actors: weightsOf(run, manifests),
    losses,
    verdict: verdictOf(evaluated(progress), evaluated(controlProgress)),
  }
}

function sharesOf(run: RunConfig, corpus: Composition, selection: Composition): Share[] {
  const share = (counts: readonly number[], j: number) =>
    counts[j]! /
    Math.max(
      1,
      counts.reduce((sum, one) => sum + one, 0),
    )
  return run.selection.actors.flatMap(({ name, subcategories }, a) =>
    subcategories.map((subcategory, j) => {
      const [before, after] = [share(corpus[a]!, j), share(selection[a]!, j)]
      return { actor: name, subcategory, corpus: before, selected: after, lift: before === 0 ? null : after / before }
    }),
  )
}

const weightsOf = (run: RunConfig, manifests: readonly Manifest[]): Summary['actors'] =>
  run.selection.actors.map(({ name, subcategories }, a) => ({
    actor: name,
    theta: manifests.map(({ theta }) => theta[a]!),
    subcategories: subcategories.map((subcategory, j) => ({
      subcategory,
      weights: manifests.map(({ weights }) => weights[a]![j]!),
    })),
  }))

const evaluated = (progress: readonly Progress[]) => progress.filter(({ referenceLoss }) => referenceLoss !== null)

function lossesOf(progress: readonly Progress[], controlProgress: readonly Progress[]): LossRow[] {
  const ofControl = new Map(controlProgress.map((one) => [one.step, one]))
  return progress.map(({ step, tokens, referenceLoss, corpusLoss }) => {
    const other = ofControl.get(step)
    return {
      step,
      tokens,
      reference: referenceLoss!,
      referenceControl: other?.referenceLoss ?? null,
      otherText: corpusLoss,
      otherTextControl: other?.corpusLoss ?? null,
    }
  })
}

export function verdictOf(progress: readonly Progress[], controlProgress: readonly Progress[]): Verdict {
  const [mine, theirs] = [progress.at(-1)!, controlProgress.at(-1)!]
  const losses = progress.map(({ tokens, referenceLoss }) => ({ x: tokens, y: referenceLoss! }))
  const needed = firstAt(losses, theirs.referenceLoss!)
  return {
    tokens: mine.tokens,
    referenceDifference: mine.referenceLoss! - theirs.referenceLoss!,
    otherTextDifference: mine.corpusLoss! - theirs.corpusLoss!,
    shareOfTokens: needed === null ? null : needed / theirs.tokens,
  }
}
