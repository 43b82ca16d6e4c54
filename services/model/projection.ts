import type { ModelDescription } from './description.ts'
import { type RandomPurpose, randomWords } from './random.ts'
import type { FloatTensor } from './safetensors.ts'

/**
 * The projections of per-document gradients, inputs P_in.MODULE [inSize, kIn] and P_out.MODULE [outSize, kOut] of the influence
 * graph: Rademacher, +1/sqrt(k) where the highest bit of random number row * k + column is 0, else -1/sqrt(k), so that an
 * inner product of projected gradients estimates that of the gradients without bias. Never stored: the seed is enough.
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
