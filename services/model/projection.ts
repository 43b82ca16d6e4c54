import type { ModelDescription } from './description.ts'
import { type RandomPurpose, randomWords } from './random.ts'
import type { FloatTensor } from './safetensors.ts'

/**
 * The projections of per-document gradients, inputs P_in.MODULE [inSize, kIn] and P_out.MODULE [outSize, kOut] of the influence graph:
 * Rademacher, +1/sqrt(k) if the highest bit of random number row * k + column is 0, else -1/sqrt(k), so that an inner product of projected
 * gradients is an unbiased estimate of that of the gradients. Never stored: the seed is enough.
 */
export function projections(description: ModelDescription, seed: string): Map<string, FloatTensor> {
  const { kIn, kOut, modules } = description.projection
  const result = new Map<string, FloatTensor>()
  for (const { name, inSize, outSize } of modules) {
    result.set(`P_in.${name}`, signs(seed, `projection:in:${name}`, inSize, kIn))
    result.set(`P_out.${name}`, signs(seed, `projection:out:${name}`, outSize, kOut))
  }
  return result
}

/** P_out^T W P_in for the gradient W of every projected layer, as the influence graph computes it; float64. */
export function projectSlopes(
  description: ModelDescription,
  seed: string,
  slopes: ReadonlyMap<string, Float64Array>,
): Float64Array {
  const { kIn, kOut, modules } = description.projection
  const matrices = projections(description, seed)
  const result = new Float64Array(projectedSize(description))
  for (const [m, { name, inSize, outSize, transposed = false }] of modules.entries()) {
    const slope = slopes.get(`${name}.weight`)!
    const [pIn, pOut] = [matrices.get(`P_in.${name}`)!.data, matrices.get(`P_out.${name}`)!.data]
    for (let out = 0; out < outSize; out++) {
      const row = new Float64Array(kIn)
      for (let i = 0; i < inSize; i++) {
        const value = transposed ? slope[i * outSize + out]! : slope[out * inSize + i]!
        for (let k = 0; k < kIn; k++) row[k]! += value * pIn[i * kIn + k]!
      }
      for (let l = 0; l < kOut; l++)
        for (let k = 0; k < kIn; k++) result[(m * kOut + l) * kIn + k]! += pOut[out * kOut + l]! * row[k]!
    }
  }
  return result
}

/** Values of phi for one document. */
export function projectedSize(description: ModelDescription): number {
  const { kIn, kOut, modules } = description.projection
  return kIn * kOut * modules.length
}

function signs(seed: string, purpose: RandomPurpose, rows: number, columns: number): FloatTensor {
  const words = randomWords(seed, purpose, rows * columns)
  const scale = 1 / Math.sqrt(columns)
  const data = new Float32Array(rows * columns)
  for (let i = 0; i < data.length; i++) data[i] = words[2 * i + 1]! >>> 31 === 0 ? scale : -scale
  return { shape: [rows, columns], data }
}
