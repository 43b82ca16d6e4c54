import type { ModelDescription } from './description.ts'
import { randomWords } from './random.ts'
import { type FloatTensor, sizeOf } from './safetensors.ts'

const standardDeviation = 0.02

/**
 * The weights before training, a function of the run's seed: matrices normal with standard deviation 0.02, vectors (the gains of norms) 1. So
 * two runs with the same seed start from the same model.
 */
export function initialWeights(description: ModelDescription, seed: string): Map<string, FloatTensor> {
  return new Map(
    description.parameters.map(({ name, shape }) => [
      name,
      { shape, data: shape.length > 1 ? normals(seed, name, sizeOf(shape)) : new Float32Array(sizeOf(shape)).fill(1) },
    ]),
  )
}

/**
 * Box-Muller: values 2j and 2j+1 are sqrt(-2 ln u) times the cosine and the sine of 2 pi v, with u in (0, 1] and v in [0, 1)
 * the upper 53 bits of random numbers 2j and 2j+1. In float64, rounded to float32, which hides a last bit in which
 * engines' logarithms may differ.
 */
function normals(seed: string, name: string, count: number): Float32Array {
  const pairs = Math.ceil(count / 2)
  const words = randomWords(seed, `weights:${name}`, 2 * pairs)
  const values = new Float32Array(2 * pairs)
  for (let j = 0; j < pairs; j++) {
    const radius = standardDeviation * Math.sqrt(-2 * Math.log((upper53(words, 2 * j) + 1) / 2 ** 53))
    const angle = 2 * Math.PI * (upper53(words, 2 * j + 1) / 2 ** 53)
    values[2 * j] = radius * Math.cos(angle)
    values[2 * j + 1] = radius * Math.sin(angle)
  }
  return values.subarray(0, count)
}

/** The upper 53 bits of random number i, as an integer. */
function upper53(words: Uint32Array, i: number): number {
  return words[2 * i + 1]! * 2 ** 21 + (words[2 * i]! >>> 11)
}
