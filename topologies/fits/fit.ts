import { fitExponential, predictExponential } from './exponential.ts'
import { fitRidge, predictRidge } from './ridge.ts'
import { spearman } from './spearman.ts'
import { type Predict, rowOf, rowsOf, type Table } from './table.ts'
import { fitTrees, predictTrees, regMixTrees, type TreeOptions } from './trees.ts'

/** How a loss is predicted from a mixture. */
export const fitKinds = ['gbdt', 'exponential', 'linear'] as const
export type FitKind = (typeof fitKinds)[number]

/** Fewest proxies whose order can be judged at all: with fewer a rank correlation of 0.6 is chance. */
export const fewestProxies = 8

/** From here on trees are taken unasked: on RegMix's public runs they are ahead of both others by far. */
const manyProxies = 200

/**
 * RegMix's options for its 512 runs. Of fewer runs a leaf asks a tenth, at least 5: on RegMix's own runs that orders held-out mixtures better than 20
 * rows a leaf below about 160 runs, and better than both other fits at 24 and more (docs/proxies.md).
 */
export const treesFor = (rows: number): TreeOptions => ({
  ...regMixTrees,
  rowsPerLeaf: Math.min(regMixTrees.rowsPerLeaf, Math.max(5, Math.floor(rows / 10))),
})

const fitters: { readonly [kind in FitKind]: (table: Table) => Predict } = {
  gbdt: (table) => predictTrees(fitTrees(table, treesFor(table.rows))),
  exponential: (table) => predictExponential(fitExponential(table)),
  linear: (table) => predictRidge(fitRidge(table)),
}

export const fitOf = (kind: FitKind, table: Table): Predict => fitters[kind](table)

/** How well a fit orders mixtures that it has not seen. */
export interface HeldOut {
  readonly kind: FitKind
  /** `rows` folds: each row was left out alone. */
  readonly folds: number
  /** Spearman's correlation of predictions and losses; null where predictions do not vary. */
  readonly spearman: number | null
}

/** Each row is predicted by a fit of the rows of the other folds; row i is in fold i mod `folds`. One by one up to 64 rows, then eight folds. */
export function heldOut(kind: FitKind, table: Table): HeldOut {
  const folds = table.rows <= 64 ? table.rows : 8
  const all = Array.from({ length: table.rows }, (_, row) => row)
  const predicted = new Float64Array(table.rows)
  for (let fold = 0; fold < folds; fold++) {
    const predict = fitOf(
      kind,
      rowsOf(
        table,
        all.filter((row) => row % folds !== fold),
      ),
    )
    for (let row = fold; row < table.rows; row += folds) predicted[row] = predict(rowOf(table, row))
  }
  return { kind, folds, spearman: spearman(predicted, table.target) }
}

/** A fit, with what is to be thought of it. */
export interface Fitted {
  readonly kind: FitKind
  readonly predict: Predict
  /** Of every kind that was tried, the chosen one among them. */
  readonly heldOut: readonly HeldOut[]
}

/** Why nothing is fitted. */
export type Unfit =
  | { readonly reason: 'few proxies'; readonly rows: number; readonly wanted: number }
  | { readonly reason: 'no variance' }

/** @param kind null: by the number of proxies, and where they are few by what orders held-out mixtures best */
export function fitted(table: Table, kind: FitKind | null): Fitted | Unfit {
  if (table.rows < fewestProxies) return { reason: 'few proxies', rows: table.rows, wanted: fewestProxies }
  if (table.target.every((value) => value === table.target[0])) return { reason: 'no variance' }
  const tried = (kind ? [kind] : table.rows >= manyProxies ? (['gbdt'] as const) : fitKinds).map((one) =>
    heldOut(one, table),
  )
  // The first of equals: the order of `fitKinds`.
  const best = tried.reduce((a, b) => ((b.spearman ?? -2) > (a.spearman ?? -2) ? b : a))
  return { kind: best.kind, predict: fitOf(best.kind, table), heldOut: tried }
}
