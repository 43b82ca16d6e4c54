import type { Campaign, CampaignFit, ProxyResult } from '../../schemas/index.ts'
import { fewestPoints, fitPowerLaw, type Point, type PowerLaw, predictPowerLaw, throughTwo } from '../fits/power-law.ts'
import { spearman } from '../fits/spearman.ts'
import { cellOf } from './grid.ts'

/**
 * The nested laws of "Data Mixing Laws" (Ye et al. 2024, section 4, Algorithm 1): for each mixture, a law of steps on each size gives the loss of that size
 * after the target's steps, and a law of parameters through these gives the loss of the target. The law of mixtures is fitted to those.
 */

/** Beside the fits in `CampaignFit.heldOut`: how well the laws of steps and sizes order mixtures. */
export const lawsCheck = 'laws'

/** All sizes of one mixture, ascending. */
interface Row {
  readonly shares: readonly number[]
  readonly results: readonly ProxyResult[]
}

export interface Extrapolated {
  /** The proxies of whole mixtures, ascending. */
  readonly results: readonly ProxyResult[]
  /** For each whole mixture, what was selected and the loss at the target. */
  readonly shares: readonly (readonly number[])[]
  readonly losses: readonly number[]
  /** How the laws order the mixtures by the last losses of the largest model, without having seen those (`CampaignFit.heldOut`). */
  readonly check: CampaignFit['heldOut'][number]
  /** Laws that found no fall, and predict the mean of what was measured. */
  readonly flat: number
}

export interface FewPoints {
  readonly reason: 'few points'
  readonly proxy: number
  readonly points: number
  readonly wanted: number
}

/** @param results in any order; those of mixtures that some sizes lack are left out */
export function extrapolate(campaign: Campaign, results: readonly ProxyResult[]): Extrapolated | FewPoints {
  const rows = rowsOf(campaign, results)
  const ordered = rows.flatMap((row) => row.results)
  const short = ordered.find(({ curve }) => new Set(curve.map(({ step }) => step)).size < fewestPoints)
  if (short) return { reason: 'few points', proxy: short.proxy, points: short.curve.length, wanted: fewestPoints }
  const parameters = campaign.models.map((model) => model.parameters)
  const { parameters: size, steps } = campaign.target!
  let flat = 0
  const counted = (law: PowerLaw): PowerLaw => {
    if (law.scale === 0) flat++
    return law
  }
  const losses = rows.map((row) => {
    const bySize = row.results.map(({ curve }, at) => ({
      x: parameters[at]!,
      loss: predictPowerLaw(counted(fitPowerLaw(pointsOf(curve))), steps),
    }))
    return bySize.length === 1 ? bySize[0]!.loss : predictPowerLaw(counted(lawOfSizes(bySize)), size)
  })
  const shares = rows.map((row) => row.shares)
  return { results: ordered, shares, losses, check: checkOf(rows, parameters), flat }
}

function rowsOf(campaign: Campaign, results: readonly ProxyResult[]): Row[] {
  const sizes = campaign.models.length
  return campaign.mixtures.flatMap((_, mixture) => {
    const own = results
      .filter(({ proxy }) => cellOf(campaign, proxy).mixture === mixture)
      .toSorted((a, b) => a.proxy - b.proxy)
    return own.length === sizes ? [{ shares: own[0]!.shares, results: own }] : []
  })
}

const pointsOf = (curve: ProxyResult['curve']): Point[] => curve.map(({ step, loss }) => ({ x: step, loss }))

const lawOfSizes = (points: readonly Point[]): PowerLaw =>
  points.length === 2 ? throughTwo(points as [Point, Point]) : fitPowerLaw(points)

/**
 * The last loss of the largest model, predicted from the smaller ones; of one model alone, from the first half of its curve.
 */
function checkOf(rows: readonly Row[], parameters: readonly number[]): Extrapolated['check'] {
  const predicted = rows.map(({ results }) => {
    const last = results.at(-1)!.curve.at(-1)!
    const lossOf = ({ curve }: ProxyResult) => curve.at(-1)!.loss
    if (results.length === 1) {
      const points = pointsOf(results[0]!.curve)
      return predictPowerLaw(fitPowerLaw(points.slice(0, Math.max(3, Math.ceil(points.length / 2)))), last.step)
    }
    const smaller = results.slice(0, -1).map((result, at) => ({ x: parameters[at]!, loss: lossOf(result) }))
    return smaller.length === 1 ? smaller[0]!.loss : predictPowerLaw(lawOfSizes(smaller), parameters.at(-1)!)
  })
  const measured = rows.map(({ results }) => results.at(-1)!.curve.at(-1)!.loss)
  return { kind: lawsCheck, folds: 1, spearman: spearman(predicted, measured) }
}
