/**
 * What a fit is made from: one row per proxy run, its mixture and the loss it reached. Columns, because trees look at one feature at a time.
 * Features are token shares of the subcategories of one actor (each in [0, 1]); a row's shares need not sum to exactly 1, since published tables
 * are rounded (RegMix's rows sum to 0.996 to 1.003).
 */
export interface Table {
  readonly rows: number
  /** features[f][row] */
  readonly features: readonly Float64Array[]
  /** target[row]: the loss on a reference, in nats per token. */
  readonly target: Float64Array
}

/** Predicts the target of a mixture, given as one number per feature. */
export type Predict = (mixture: ArrayLike<number>) => number

export const tableOf = (mixtures: readonly ArrayLike<number>[], target: ArrayLike<number>): Table => ({
  rows: mixtures.length,
  features: Array.from({ length: mixtures[0]?.length ?? 0 }, (_, f) => Float64Array.from(mixtures, (row) => row[f]!)),
  target: Float64Array.from(target),
})

export const rowOf = ({ features }: Table, row: number): number[] => features.map((column) => column[row]!)

/** The table of some of its rows, in the order given. */
export const rowsOf = (table: Table, rows: readonly number[]): Table => ({
  rows: rows.length,
  features: table.features.map((column) => Float64Array.from(rows, (row) => column[row]!)),
  target: Float64Array.from(rows, (row) => table.target[row]!),
})

export function meanOf(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}
