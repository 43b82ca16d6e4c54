import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Model } from '../../../services/model/model.ts'
import { type FloatTensor, writeSafetensors } from '../../../services/model/safetensors.ts'
import { initialWeights } from '../../../services/model/weights.ts'
import type { CheckpointRef } from '../../../topologies/stations/influence.ts'
import golden from './golden.json' with { type: 'json' }

export { golden }

/** A folder of the test's own that goes away with it. */
export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'winnow-model-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Initial weights with every matrix scaled, as golden.py scales them, as a checkpoint. */
export async function scaledCheckpoint(
  model: Model,
  seed: string,
  scale: number,
  path: string,
): Promise<CheckpointRef> {
  const scaled = [...initialWeights(model.description, seed)].map(([name, { shape, data }]): [string, FloatTensor] => [
    name,
    { shape, data: shape.length > 1 ? data.map((value) => value * scale) : data },
  ])
  const { digest } = await writeSafetensors(path, scaled, { steps: '0' })
  return { path, digest }
}

/** A small generator for test data alone (Lehmer); values in [0, 1). */
export function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

/** A made-up language: each of its 24 words is followed by one of three. */
export function languageText(language: number, length: number, random: () => number): number[] {
  const first = 300 + 24 * language
  let word = Math.floor(random() * 24)
  return Array.from({ length }, () => {
    word = (word * 5 + 7 * (language + 1) + Math.floor(random() * 3)) % 24
    return first + word
  })
}

export function spearman(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranks(a), ranks(b)]
  const mean = (a.length - 1) / 2
  const covariance = (u: readonly number[], v: readonly number[]) =>
    u.reduce((sum, rank, i) => sum + (rank - mean) * (v[i]! - mean), 0)
  return covariance(x, y) / Math.sqrt(covariance(x, x) * covariance(y, y))
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i]! - values[j]!)
  const result: number[] = []
  for (const [rank, i] of order.entries()) result[i] = rank
  return result
}

/** x with matrix x = right, by Gaussian elimination with pivoting in float64. */
export function solved(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const n = right.length
  const rows = matrix.map((row, i) => [...row, right[i]!])
  for (let k = 0; k < n; k++) {
    const pivot = rows
      .slice(k)
      .reduce((best, row, i) => (Math.abs(row[k]!) > Math.abs(rows[best]![k]!) ? k + i : best), k)
    ;[rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!]
    for (let i = k + 1; i < n; i++) {
      const factor = rows[i]![k]! / rows[k]![k]!
      for (let j = k; j <= n; j++) rows[i]![j]! -= factor * rows[k]![j]!
    }
  }
  const x = new Array<number>(n).fill(0)
  for (let i = n - 1; i >= 0; i--) {
    let sum = rows[i]![n]!
    for (let j = i + 1; j < n; j++) sum -= rows[i]![j]! * x[j]!
    x[i] = sum / rows[i]![i]!
  }
  return x
}
