import { firstAt, heightAt, type PairedMean, type Point, pairedMean } from '../../topologies/experiment/paired.ts'
import { lossAfter } from '../../topologies/rounds/other-text.ts'
import type { Cell } from './cells.ts'
import type { Plan } from './plan.ts'
import type { CellResult } from './results.ts'

/** How a strategy did over its seeds, beside the baseline of the same seed, reference and budget. Losses in nats per token. */
export interface SummaryRow {
  readonly strategy: string
  /** Seeds that are finished, of how many. */
  readonly seeds: number
  readonly seedsPlanned: number
  /** Optimizer steps, and tokens trained on. */
  readonly steps: number
  readonly tokens: number
  readonly referenceLoss: number
  readonly otherLoss: number
  /** Less the baseline's, at the end of both: negative is better. null: no seed of both is finished. */
  readonly gain: PairedMean | null
  /** The price: loss on other text less the baseline's. */
  readonly price: PairedMean | null
  /** The largest price at any evaluation of any seed. */
  readonly priceMost: number | null
  /** Of a strategy that bounds the loss on other text: what of its selections was natural, mean over rounds and seeds. */
  readonly natural: number | null
  /** Share of the baseline's tokens after which the baseline's last loss was reached, over the seeds that reached it. */
  readonly share: PairedMean | null
  /** Of training and of all that selecting cost: labels, rewards, references. Evaluation is for the experiment alone and in neither. */
  readonly trainingFlops: number
  readonly selectingFlops: number
  /** Selecting, in percent of training. */
  readonly overhead: number
  /** Less the loss of the baseline trained for as many FLOPs in all, between its budgets; null: it was not trained for so many. */
  readonly gainAtFlops: PairedMean | null
}

export interface SummaryTable {
  readonly reference: string
  readonly budget: number
  readonly baseline: string
  readonly rows: readonly SummaryRow[]
  /** Mean losses over the seeds of a strategy at its evaluations, for plots. */
  readonly curves: readonly {
    strategy: string
    points: readonly { tokens: number; referenceLoss: number; otherLoss: number }[]
  }[]
}

export interface ExperimentSummary {
  readonly cells: number
  readonly finished: number
  readonly tables: readonly SummaryTable[]
}

/** Compares finished cells; those that are missing leave their pairs out. @param results by cell */
export function summarize(
  plan: Pick<Plan, 'baseline' | 'strategies' | 'budgets'>,
  cells: readonly Cell[],
  results: ReadonlyMap<Cell, CellResult>,
): ExperimentSummary {
  const { baseline } = plan
  const found = cells.flatMap((cell) => {
    const result = results.get(cell)
    return result === undefined ? [] : [{ ...result, of: cell }]
  })
  const isControl = (name: string) => name === baseline || plan.strategies[name]?.like === baseline
  const tables = [...new Set(cells.map(({ reference, budget }) => JSON.stringify([reference, budget])))].map(
    (place): SummaryTable => {
      const [reference, budget] = JSON.parse(place) as [string, number]
      const own = found.filter((one) => one.reference === reference && one.budget === budget)
      const controls = new Map(own.filter(({ strategy }) => strategy === baseline).map((one) => [one.seed, one]))
      // Of the same seed and reference, whatever the budget.
      const controlPoints = (seed: number): Point[] =>
        found
          .filter(
            (one) =>
              one.reference === reference &&
              one.seed === seed &&
              isControl(one.strategy) &&
              isRandomAgain(plan, one.strategy),
          )
          .map((one) => ({ x: totalOf(one), y: last(one).referenceLoss }))
      const rows: SummaryRow[] = []
      const curves: SummaryTable['curves'][number][] = []
      for (const strategy of Object.keys(plan.strategies)) {
        const planned = cells.filter(
          (one) => one.reference === reference && one.budget === budget && one.strategy === strategy,
        )
        const seeds = own.filter((one) => one.strategy === strategy)
        if (seeds.length === 0) continue
        rows.push({ seedsPlanned: planned.length, ...rowOf(strategy, seeds, controls, controlPoints, baseline) })
        curves.push({ strategy, points: meanCurve(seeds) })
      }
      return { reference, budget, baseline, rows, curves }
    },
  )
  return { cells: cells.length, finished: found.length, tables: tables.filter(({ rows }) => rows.length > 0) }
}

/** A strategy like the baseline that differs in its length alone. */
const isRandomAgain = ({ baseline, strategies }: Pick<Plan, 'baseline' | 'strategies'>, name: string): boolean =>
  name === baseline || (Object.keys(strategies[name]!.selection).length === 0 && strategies[name]!.actors === undefined)

type Found = CellResult

function rowOf(
  strategy: string,
  seeds: readonly Found[],
  controls: ReadonlyMap<number, Found>,
  controlPoints: (seed: number) => Point[],
  baseline: string,
): Omit<SummaryRow, 'seedsPlanned'> {
  const pairs = seeds.flatMap((one) => {
    const control = controls.get(one.seed)
    return control === undefined ? [] : [{ one, control }]
  })
  const over = <T>(list: readonly T[], of: (one: T) => number | null): PairedMean | null => {
    const known = list.map(of).filter((value) => value !== null)
    return known.length === 0 ? null : pairedMean(known)
  }
  const isItself = strategy === baseline
  const meanOf = (of: (one: Found) => number) => seeds.reduce((sum, one) => sum + of(one), 0) / seeds.length
  const [training, selecting] = [meanOf(trainingOf), meanOf(selectingOf)]
  return {
    ...{ strategy, seeds: seeds.length, steps: seeds[0]!.steps, tokens: last(seeds[0]!).tokens },
    referenceLoss: meanOf((one) => last(one).referenceLoss),
    otherLoss: meanOf((one) => last(one).otherLoss),
    gain: isItself ? null : over(pairs, ({ one, control }) => last(one).referenceLoss - last(control).referenceLoss),
    price: isItself ? null : over(pairs, ({ one, control }) => last(one).otherLoss - last(control).otherLoss),
    priceMost: isItself || pairs.length === 0 ? null : Math.max(...pairs.flatMap(pricesOf)),
    natural: naturalOf(seeds),
    share: isItself
      ? null
      : over(pairs, ({ one, control }) => {
          const at = firstAt(
            one.curve.map(({ tokens, referenceLoss }) => ({ x: tokens, y: referenceLoss })),
            last(control).referenceLoss,
          )
          return at === null ? null : at / last(control).tokens
        }),
    trainingFlops: training,
    selectingFlops: selecting,
    overhead: (100 * selecting) / training,
    gainAtFlops: isItself
      ? null
      : over(seeds, (one) => {
          const control = heightAt(controlPoints(one.seed), totalOf(one))
          return control === null ? null : last(one).referenceLoss - control
        }),
  }
}

const last = ({ curve }: Found) => curve.at(-1)!

/** At each evaluation of a cell that the control has after as many tokens, of which there is the last at least. */
const pricesOf = ({ one, control }: { one: Found; control: Found }): number[] => {
  const reports = control.curve.map(({ tokens, otherLoss }) => ({ tokens, loss: otherLoss }))
  const ofLast = last(one).otherLoss - last(control).otherLoss
  const prices = one.curve.map(({ tokens, otherLoss }) => otherLoss - (lossAfter(reports, tokens) ?? Number.NaN))
  return [...prices.filter(Number.isFinite), ofLast]
}

function naturalOf(seeds: readonly Found[]): number | null {
  const shares = seeds.flatMap(({ rounds }) => rounds.flatMap(({ otherText }) => otherText?.share ?? []))
  return shares.length === 0 ? null : shares.reduce((sum, share) => sum + share, 0) / shares.length
}
const trainingOf = ({ flops }: Found): number => flops.training ?? 0
/** All but training, and evaluation, which is what the experiment looks by. */
const selectingOf = ({ flops }: Found): number =>
  Object.entries(flops).reduce(
    (sum, [purpose, value]) => (purpose === 'training' || purpose === 'evaluation' ? sum : sum + value),
    0,
  )
const totalOf = (one: Found): number => trainingOf(one) + selectingOf(one)

function meanCurve(seeds: readonly Found[]): SummaryTable['curves'][number]['points'] {
  return seeds[0]!.curve.map(({ tokens }, i) => {
    const mean = (of: (point: Found['curve'][number]) => number) =>
      seeds.reduce((sum, { curve }) => sum + of(curve[i]!), 0) / seeds.length
    return { tokens, referenceLoss: mean((p) => p.referenceLoss), otherLoss: mean((p) => p.otherLoss) }
  })
}
