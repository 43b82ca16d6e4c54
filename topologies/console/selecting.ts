import type { ActorState, Manifest, RoundOpened, Stratum, TopicOffset } from '../../schemas/index.ts'
import { type CorpusStore, columnsOf, duplicatesOf, type ViewOptions } from '../corpus-store.ts'
import type { RunConfig } from '../run-config.ts'
import type { SelectionConfig } from '../selection/config.ts'
import { updateTheta } from '../selection/console.ts'
import { guardRules } from '../selection/guards-config.ts'
import { naturalShare } from '../selection/other-bound.ts'
import { readsMatter } from '../selection/reads.ts'
import { type Selection, type StratumSelection, select } from '../selection/select.ts'
import { scoredActors } from '../selection/strategy.ts'
import { type DecidedSelection, type EmissionLayout, emissionLayout } from './emitting.ts'
import { type ReadsSource, recordedBy, recordReads, type SelectedRound } from './reads.ts'

/** The inputs of a round's selection, all of them from the log. */
export interface SelectionInputs {
  /** As the round has it. */
  readonly run: RunConfig
  readonly opened: RoundOpened
  /** After this round's fold, in configuration order. */
  readonly actorStates: readonly ActorState[]
  /** The rounds selected before that the trainer was given, ascending. */
  readonly history: readonly SelectedRound[]
  /** What this run selected last. Left out: the last of `history`; only of a shadow are they different. */
  readonly previous?: Manifest | undefined
  readonly store: CorpusStore
  /** The run's own earlier selections, for counting what was read. */
  readonly selections: ReadsSource
  /** Left out: `emissionLayout`. Tests take less, so that small selections have many chunks. */
  readonly layout?: EmissionLayout | undefined
}

/** The labels that a run selects by, of which actors also the scores, and how many near duplicates it takes. */
export function labelsOf(run: RunConfig): Pick<ViewOptions, 'columns' | 'scored' | 'duplicates'> {
  const { strategy, actors } = run.selection
  const scored = strategy === undefined ? [] : scoredActors(strategy, actors)
  const duplicates = duplicatesOf(run)
  return { columns: columnsOf(run), ...(scored.length > 0 && { scored }), ...(duplicates && { duplicates }) }
}

/**
 * What a round of this run sees of the corpus: labels before these offsets and, if they matter, the run's reads of earlier rounds.
 * @param run as the round has it
 */
export function viewOptions(
  run: RunConfig,
  labelOffsets: readonly TopicOffset[],
  history: readonly SelectedRound[],
): ViewOptions {
  const options = { ...labelsOf(run), labelOffsets, draws: true }
  if (!readsMatter(run.selection)) return { ...options, readsOf: null }
  if (recordedBy(run, history, labelOffsets) === 'documents') return { ...options, readsOf: run.name }
  const earlier = history.map(({ manifest: { round, labelOffsets } }) => ({ round, labelOffsets }))
  return { ...options, readsOf: run.name, earlier }
}

/**
 * Records in the store what the trainer had read of earlier selections, if that matters to the run.
 * @param opened the round that looks at them
 */
export async function recordEarlierReads(
  inputs: Pick<SelectionInputs, 'run' | 'history' | 'store' | 'selections'>,
  { labelOffsets, reads }: Pick<RoundOpened, 'labelOffsets' | 'reads'>,
): Promise<void> {
  const { run, history } = inputs
  if (!readsMatter(run.selection)) return
  const viewAt = (index: number) => {
    const selected = history[index]!
    return viewOptions(selected.run, selected.manifest.labelOffsets, history.slice(0, index))
  }
  await recordReads(inputs, run, history, labelOffsets, viewAt, reads)
}

/** Counts reads, then computes theta (Eq. 8), scores (Eq. 6) and the exact top-k: all of a selection except its place in the stream. */
export async function decideSelection(inputs: SelectionInputs): Promise<DecidedSelection> {
  const { run, opened, actorStates, history, store } = inputs
  const config = run.selection
  await recordEarlierReads(inputs, opened)
  const weights = actorStates.map((state) => state.weights)
  const thetaBefore = thetaBeforeOf(config, opened, inputs.previous ?? history.at(-1)?.manifest)
  const { theta, actorRewards } =
    opened.round === 0
      ? { theta: [...thetaBefore], actorRewards: config.actors.map(() => null) }
      : updateTheta(
          config,
          opened.round,
          thetaBefore,
          weights,
          actorStates.map(({ rewards }) => rewards),
        )
  const corpus = await store.view(viewOptions(run, opened.labelOffsets, history))
  const selection = await select(corpus, config, opened.round, weights, theta)
  return {
    ids: selection.ids,
    manifest: {
      run: run.name,
      round: opened.round,
      step: opened.step,
      actors: config.actors.map(({ name }) => name),
      theta,
      weights,
      actorRewards,
      documents: selection.documents,
      tokens: selection.tokens,
      ...cutOf(selection),
      strata: hasStrata(config) ? selection.strata.map(recordedStratum) : null,
      histogramDigest: selection.histogramDigest,
      labelOffsets: opened.labelOffsets,
      chunkDocuments: (inputs.layout ?? emissionLayout).chunkDocuments,
    },
  }
}

const hasStrata = (config: SelectionConfig): boolean =>
  config.strategy !== undefined || guardRules(config).length > 0 || naturalShare(config) > 0

/** Of the round before, or of a shadow that is promoted; of an actor that joins, and of all before the first round, the initial one. */
function thetaBeforeOf(
  { actors }: SelectionConfig,
  { changes = [], promoted = null }: Partial<RoundOpened>,
  previous: Manifest | undefined,
): number[] {
  if (promoted !== null) return [...promoted.theta]
  return actors.map(({ name, initialTheta }) => {
    const joins = changes.some(({ kind, actor }) => kind === 'add' && actor === name)
    const at = joins || previous === undefined ? -1 : previous.actors.indexOf(name)
    return at === -1 ? initialTheta : previous!.theta[at]!
  })
}

/** Threshold and cut of a selection without a mixture; with a mixture each stratum has its own. */
function cutOf({ strata }: Selection): Pick<Manifest, 'threshold' | 'marginal'> {
  const [only, ...others] = strata
  if (only === undefined || others.length > 0) return { threshold: null, marginal: null }
  const { threshold, marginal } = only
  if (marginal === null) return { threshold, marginal }
  const { groups: _, ...recorded } = marginal
  return { threshold, marginal: recorded }
}

function recordedStratum({ held, marginal: _, ...stratum }: StratumSelection): Stratum {
  return { ...stratum, heldDocuments: held.documents, heldTokens: held.tokens }
}
