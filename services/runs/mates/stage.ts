import type { LabelerFit } from '../../../schemas/index.ts'
import { spearman } from '../../../topologies/fits/spearman.ts'
import { chanceSpearman, isNoise, probesMin } from '../../../topologies/mates/noise.ts'
import { inputsDigest, type Probe } from '../../../topologies/mates/probes.ts'
import { fitRegression, type RegressionSettings } from '../../labeler/regression.ts'
import { defaultFeatures, defaultFit } from '../../labeler/train.ts'
import { WinnowError } from '../../runtime/errors.ts'
import type { ProbesOfRun } from './probes-of-run.ts'

/** A fitted model of influence, not written anywhere yet. */
export interface FittedStage {
  readonly fit: LabelerFit
  /** model.json and weights.bin. */
  readonly model: string
  readonly weights: Uint8Array
  /** Floating-point operations, about. */
  readonly flops: number
}

const folds = 5

/** How a stage is fitted: defaults of the hashed trainer, with the strengths that some hundred probes need. */
export const stageSettings = (seed: string): RegressionSettings => ({
  ...{ seed, folds },
  features: defaultFeatures,
  fit: { ...defaultFit, documentsMin: 3, l2: 3e-3 },
})

/**
 * Fits the hashed model to the probes. The same probes and settings give the same bytes.
 * @throws WinnowError BAD_DATA for too few probes, and for a fit that orders left-out probes no better than chance
 */
export async function fitStage(given: ProbesOfRun, settings: RegressionSettings): Promise<FittedStage> {
  const { run, rounds, probes, rewardOffsets, checkpoint } = given
  checkCount(given)
  const fitted = await fitRegression(
    {
      texts: probes.map((probe) => textOf(given, probe)),
      scores: probes.map(({ loss }) => loss),
      weights: probes.map(({ weight }) => weight),
    },
    settings,
  )
  const losses = probes.map(({ loss }) => loss)
  const measured = measuredOn(given, losses, fitted.heldOut)
  const written = JSON.stringify({ regressor: 'hashed', ...settings })
  const inputs = inputsDigest({ run, rounds, probes, settings: written })
  const fit: LabelerFit = {
    ...{ run, rounds: rounds.map(({ round }) => round), rewardOffsets: [...rewardOffsets], checkpoint },
    ...{ probes: probes.length, inputs, settings: written, ...measured },
  }
  const { rewardOffsets: _, settings: __, spearman: ___, measured: ____, chance: _____, ...from } = fit
  const { model, weights } = fitted.files({
    task: 'influence',
    training: { ...from, ...settings, iterationsUsed: fitted.iterations },
    metrics: { ...measured, obtained: `${folds}-fold cross-validation over the probes` },
  })
  return { fit, model, weights, flops: fitted.flops }
}

/** The Spearman correlation with unseen probes. @throws WinnowError BAD_DATA if noise would have as much */
export function measuredOn(
  { run }: Pick<ProbesOfRun, 'run'>,
  losses: readonly number[],
  predicted: readonly number[],
): Pick<LabelerFit, 'spearman' | 'measured' | 'chance'> {
  const found = spearman(losses, predicted)
  if (!isNoise(found, losses.length))
    return { spearman: found!, measured: losses.length, chance: chanceSpearman(losses.length) }
  const said = found === null ? 'are all the same' : `have a Spearman correlation of ${found.toFixed(3)} with them`
  throw new WinnowError(
    'BAD_DATA',
    `predictions for the ${losses.length} rewards of ${run} that they had not seen ${said}, and noise has up to ${chanceSpearman(losses.length).toFixed(3)}: nothing is recorded`,
    {
      hint: 'More rewards help: several rounds (--rounds), a larger sampleDocuments in the next run, or another labeler (--labeler).',
    },
  )
}

export function checkCount({ run, rounds, probes }: Pick<ProbesOfRun, 'run' | 'rounds' | 'probes'>): void {
  if (probes.length >= probesMin) return
  const of = rounds.map(({ round }) => round).join(', ')
  throw new WinnowError(
    'BAD_DATA',
    `round ${of} of ${run} has rewards of ${probes.length} documents to learn from, and a fit needs ${probesMin}: nothing is recorded`,
    { hint: 'Take several rounds (--rounds), or sample more documents in the next run (sampleDocuments in run.yaml).' },
  )
}

export function textOf({ texts, run }: Pick<ProbesOfRun, 'texts' | 'run'>, { docId }: Pick<Probe, 'docId'>): string {
  const text = texts.get(docId)
  if (text !== undefined) return text
  throw new WinnowError('GUARANTEE_VIOLATED', `document ${docId} was rewarded in ${run} but has no text in the corpus`)
}
