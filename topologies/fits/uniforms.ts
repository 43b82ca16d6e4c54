import { mixInPlace, wordsOf } from '../selection/mix.ts'
import type { Seed } from '../selection/u64.ts'
import { expOf, lnOf } from './elementary.ts'

const block = 4096

/** Random numbers of a fit: the n-th is splitmix64(n XOR seed), so a stream is its seed alone. The same bits everywhere. */
export class Uniforms {
  readonly #seed: Seed
  readonly #column = new BigUint64Array(block)
  readonly #words = wordsOf(this.#column)
  #counter = 0n
  #at = block
  #spare: number | null = null

  constructor(seed: Seed) {
    this.#seed = seed
  }

  /** Strictly between 0 and 1, a multiple of 2^-53 and a half. */
  uniform(): number {
    if (this.#at === block) {
      for (let i = 0; i < block; i++) this.#column[i] = this.#counter++
      mixInPlace(this.#column, this.#seed)
      this.#at = 0
    }
    const [low, high] = [this.#words[2 * this.#at]!, this.#words[2 * this.#at + 1]!]
    this.#at++
    // 52 bits and a half: with 53 the largest would be rounded to 1.
    return ((high >>> 0) * 2 ** 20 + (low >>> 12) + 0.5) / 2 ** 52
  }

  /** An integer in [0, n), for n far below 2^52. */
  below(n: number): number {
    return Math.floor(this.uniform() * n)
  }

  /** Standard normal, by Marsaglia's polar method. */
  normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare
      this.#spare = null
      return spare
    }
    for (;;) {
      const [u, v] = [2 * this.uniform() - 1, 2 * this.uniform() - 1]
      const square = u * u + v * v
      if (square >= 1 || square === 0) continue
      const factor = Math.sqrt((-2 * lnOf(square)) / square)
      this.#spare = v * factor
      return u * factor
    }
  }

  /** ln of a draw of Gamma(shape, 1), shape > 0 (Marsaglia and Tsang 2000); of small shapes the draw itself would be 0. */
  lnGamma(shape: number): number {
    // Gamma(a) = Gamma(a + 1) U^(1 / a).
    if (shape < 1) return this.lnGamma(shape + 1) + lnOf(this.uniform()) / shape
    const d = shape - 1 / 3
    const c = 1 / Math.sqrt(9 * d)
    for (;;) {
      const x = this.normal()
      const root = 1 + c * x
      if (root <= 0) continue
      const lnV = 3 * lnOf(root)
      const v = root * root * root
      if (lnOf(this.uniform()) < (x * x) / 2 + d - d * v + d * lnV) return lnOf(d) + lnV
    }
  }

  /** A draw of Dirichlet(alpha), every alpha above 0: shares that sum to 1 up to rounding. */
  dirichlet(alpha: readonly number[]): number[] {
    const logarithms = alpha.map((shape) => this.lnGamma(shape))
    const top = Math.max(...logarithms)
    const shares = logarithms.map((value) => expOf(value - top))
    const sum = shares.reduce((a, b) => a + b, 0)
    return shares.map((share) => share / sum)
  }
}
