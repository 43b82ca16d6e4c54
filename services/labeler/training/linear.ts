import { minimize } from './lbfgs.ts'

/** Documents as sparse rows: row i has the entries starts[i] to starts[i + 1] of `columns` and `values`. */
export interface SparseRows {
  starts: Uint32Array
  columns: Uint32Array
  values: Float32Array
  /** The number of columns. */
  width: number
}

const rowCount = (rows: SparseRows): number => rows.starts.length - 1

/** The chosen rows, in the order of `chosen`. */
export function takeRows(rows: SparseRows, chosen: ArrayLike<number>): SparseRows {
  const starts = new Uint32Array(chosen.length + 1)
  for (let i = 0; i < chosen.length; i++)
    starts[i + 1] = starts[i]! + rows.starts[chosen[i]! + 1]! - rows.starts[chosen[i]!]!
  const columns = new Uint32Array(starts[chosen.length]!)
  const values = new Float32Array(columns.length)
  for (let i = 0; i < chosen.length; i++) {
    const from = rows.starts[chosen[i]!]!
    const to = rows.starts[chosen[i]! + 1]!
    columns.set(rows.columns.subarray(from, to), starts[i])
    values.set(rows.values.subarray(from, to), starts[i])
  }
  return { starts, columns, values, width: rows.width }
}

/** The rows of several matrices of the same width, concatenated. */
export function joinRows(parts: SparseRows[]): SparseRows {
  const starts = [0]
  for (const part of parts) {
    const before = starts.at(-1)!
    for (let i = 1; i < part.starts.length; i++) starts.push(before + part.starts[i]!)
  }
  const columns = new Uint32Array(starts.at(-1)!)
  const values = new Float32Array(columns.length)
  let at = 0
  for (const part of parts) {
    columns.set(part.columns, at)
    values.set(part.values, at)
    at += part.columns.length
  }
  return { starts: Uint32Array.from(starts), columns, values, width: parts[0]!.width }
}

/** The rows with `dense[i]` appended as further columns. */
export function appendDense(rows: SparseRows, dense: ArrayLike<number>[]): SparseRows {
  const extra = dense[0]?.length ?? 0
  const count = rowCount(rows)
  const columns = new Uint32Array(rows.columns.length + count * extra)
  const values = new Float32Array(columns.length)
  const starts = new Uint32Array(count + 1)
  let at = 0
  for (let i = 0; i < count; i++) {
    for (let entry = rows.starts[i]!; entry < rows.starts[i + 1]!; entry++, at++) {
      columns[at] = rows.columns[entry]!
      values[at] = rows.values[entry]!
    }
    for (let j = 0; j < extra; j++, at++) {
      columns[at] = rows.width + j
      values[at] = dense[i]![j]!
    }
    starts[i + 1] = at
  }
  return { starts, columns, values, width: rows.width + extra }
}

/** weights: [width, outputs] by row; biases: [outputs]. */
export interface LinearModel {
  weights: Float64Array
  biases: Float64Array
  outputs: number
}

/** What to fit: values of a regression, the class (from 0) of each row, or its probabilities of all classes. `rowWeights` sum to 1. */
export type Target = { outputs: number; rowWeights: Float64Array } & (
  | { kind: 'regression'; values: ArrayLike<number> }
  | { kind: 'classification'; values: ArrayLike<number> }
  | { kind: 'distribution'; values: ArrayLike<number>[] }
)

export interface LinearOptions {
  l2: number
  iterations: number
  /** Called after each iteration, counted from 1; true ends the fit there. */
  watch?: (model: LinearModel, iteration: number) => boolean
}

/** Half the squared error or the cross-entropy of one row; `scores` becomes its derivative. */
function rowLoss(scores: Float64Array, target: Target, row: number): number {
  if (target.kind === 'regression') {
    scores[0]! -= target.values[row]!
    return (scores[0]! * scores[0]!) / 2
  }
  let maximum = Number.NEGATIVE_INFINITY
  for (const score of scores) maximum = Math.max(maximum, score)
  let sum = 0
  for (let k = 0; k < scores.length; k++) sum += Math.exp(scores[k]! - maximum)
  const shift = maximum + Math.log(sum)
  if (target.kind === 'classification') {
    const value = target.values[row]!
    const loss = shift - scores[value]!
    for (let k = 0; k < scores.length; k++) scores[k] = Math.exp(scores[k]! - shift)
    scores[value]! -= 1
    return loss
  }
  let loss = 0
  const probabilities = target.values[row]!
  for (let k = 0; k < scores.length; k++) {
    loss += probabilities[k]! * (shift - scores[k]!)
    scores[k] = Math.exp(scores[k]! - shift) - probabilities[k]!
  }
  return loss
}

/** The loss that `fitLinear` minimizes, without its l2 term, of a model on other rows. */
export function lossOf(rows: SparseRows, target: Target, model: LinearModel): number {
  return predictLinear(rows, model).reduce(
    (sum, scores, row) => sum + target.rowWeights[row]! * rowLoss(scores, target, row),
    0,
  )
}

/** scores = weights^T row + biases; `point` is weights followed by biases. */
function scoreRow(rows: SparseRows, row: number, point: Float64Array, scores: Float64Array): void {
  const outputs = scores.length
  const biases = rows.width * outputs
  for (let k = 0; k < outputs; k++) scores[k] = point[biases + k]!
  for (let entry = rows.starts[row]!; entry < rows.starts[row + 1]!; entry++) {
    const value = rows.values[entry]!
    const base = rows.columns[entry]! * outputs
    for (let k = 0; k < outputs; k++) scores[k]! += value * point[base + k]!
  }
}

/** Linear or multinomial logistic regression: minimizes the weighted mean loss + l2 / 2 * |weights|^2; biases are not regularized. */
export function fitLinear(rows: SparseRows, target: Target, options: LinearOptions): LinearModel {
  const { outputs } = target
  const { watch } = options
  const weightCount = rows.width * outputs
  const point = new Float64Array(weightCount + outputs)
  const scores = new Float64Array(outputs)
  const objective = (at: Float64Array, gradient: Float64Array): number => {
    let loss = 0
    gradient.fill(0)
    for (let row = 0; row < rowCount(rows); row++) {
      scoreRow(rows, row, at, scores)
      const weight = target.rowWeights[row]!
      loss += weight * rowLoss(scores, target, row)
      for (let k = 0; k < outputs; k++) {
        scores[k]! *= weight
        gradient[weightCount + k]! += scores[k]!
      }
      for (let entry = rows.starts[row]!; entry < rows.starts[row + 1]!; entry++) {
        const value = rows.values[entry]!
        const base = rows.columns[entry]! * outputs
        for (let k = 0; k < outputs; k++) gradient[base + k]! += value * scores[k]!
      }
    }
    let squares = 0
    for (let i = 0; i < weightCount; i++) {
      squares += at[i]! * at[i]!
      gradient[i]! += options.l2 * at[i]!
    }
    return loss + (options.l2 / 2) * squares
  }
  const model = { weights: point.subarray(0, weightCount), biases: point.subarray(weightCount), outputs }
  minimize(objective, point, {
    iterations: options.iterations,
    tolerance: 1e-6,
    ...(watch && { watch: (iteration) => watch(model, iteration) }),
  })
  return model
}

/** Scores [rows, outputs], by row. */
export function predictLinear(rows: SparseRows, model: LinearModel): Float64Array[] {
  const point = new Float64Array(model.weights.length + model.outputs)
  point.set(model.weights)
  point.set(model.biases, model.weights.length)
  return Array.from({ length: rowCount(rows) }, (_, row) => {
    const scores = new Float64Array(model.outputs)
    scoreRow(rows, row, point, scores)
    return scores
  })
}
