import { setImmediate } from 'node:timers/promises'
import { addScaled, dot } from './vector.ts'

/** Rows of the Gram matrix computed before yielding to the event loop: some tens of milliseconds at the paper's sizes. */
const rowsPerTurn = 8

/**
 * Multiplies vectors by H^-1 of Eq. 3, H = G^T G / n + lambda I, where the rows of G are the n projected gradients of the reference samples
 * and lambda is `damping` times the mean eigenvalue of G G^T / n, so that it means the same at every checkpoint. By Woodbury: H^-1 v = (v -
 * G^T (n lambda I + G G^T)^-1 G v) / lambda, an n x n system instead of one of phi's size. float64 in a fixed order: the same to the bit
 * everywhere. If all gradients are 0, so is the result.
 */
export async function fisherInverse(
  rows: readonly Float32Array[],
  damping: number,
): Promise<(vector: Float64Array) => Float64Array> {
  const n = rows.length
  const system = await gram(rows)
  let trace = 0
  for (let i = 0; i < n; i++) trace += system[i * n + i]!
  const lambda = (damping * trace) / (n * n)
  if (lambda === 0) return (vector) => new Float64Array(vector.length)
  for (let i = 0; i < n; i++) system[i * n + i]! += n * lambda
  decompose(system, n)
  return (vector) => {
    const solved = solve(
      system,
      Float64Array.from(rows, (row) => dot(row, vector)),
    )
    const result = vector.slice()
    for (const [i, row] of rows.entries()) addScaled(result, row, -solved[i]!)
    return result.map((value) => value / lambda)
  }
}

/** G G^T; only the lower triangle is filled; row-major. */
async function gram(rows: readonly Float32Array[]): Promise<Float64Array> {
  const n = rows.length
  const product = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) product[i * n + j] = dot(rows[i]!, rows[j]!)
    if (i % rowsPerTurn === 0) await setImmediate()
  }
  return product
}

/** Cholesky in place: the lower triangle of a symmetric positive definite matrix becomes L with L L^T = the matrix. */
function decompose(matrix: Float64Array, n: number): void {
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = matrix[i * n + j]!
      for (let k = 0; k < j; k++) sum -= matrix[i * n + k]! * matrix[j * n + k]!
      matrix[i * n + j] = i === j ? Math.sqrt(sum) : sum / matrix[j * n + j]!
    }
  }
}

/** Solves L L^T x = right. */
function solve(lower: Float64Array, right: Float64Array): Float64Array {
  const n = right.length
  const x = right.slice()
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= lower[i * n + k]! * x[k]!
    x[i]! /= lower[i * n + i]!
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= lower[k * n + i]! * x[k]!
    x[i]! /= lower[i * n + i]!
  }
  return x
}
