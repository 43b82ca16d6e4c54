import { type DomainWeights, exponentiated } from './averaged.ts'

/**
 * DoGE (Fan et al. 2024, arXiv 2310.15393, Algorithm 1): a domain gains by how far a step on it would lower the loss elsewhere, measured by products of
 * gradients. `universal`: elsewhere is every other domain; `out-of-domain`: a target that is not trained on.
 */
export const dogeVariants = ['universal', 'out-of-domain'] as const
export type DogeVariant = (typeof dogeVariants)[number]

export interface DogeOptions {
  readonly variant: DogeVariant
  /** mu: how far the weights resist; smaller moves them faster. */
  readonly mu: number
  readonly smoothing: number
  /** Bounds of a gain before the learning rate. At 0 a domain loses weight to others alone, as in the authors' code. */
  readonly gainMin: number
  readonly gainMax: number
}

/** The authors' code (trainer.py: `mu`, `reweight_eps`, `dw_min`, `dw_max`). */
export const dogeDefaults: Omit<DogeOptions, 'variant'> = { mu: 0.05, smoothing: 0, gainMin: 0, gainMax: 5 }

/** Of the gradients of one step, each clipped to norm 1. */
export interface GradientProducts {
  /** For each domain, its product with the sum of all domains' gradients, or with the target's. */
  readonly target: readonly number[]
  /** For each domain, its product with itself. */
  readonly own: readonly number[]
}

/** Keeps the division finite where all gradients vanish. */
const tiny = 1e-6

/**
 * W_j = lr * clip((<g_j, sum_k g_k> - <g_j, g_j>) / mean norm), or lr * clip(<g_j, g_target> / mean norm); then w_j <- w_j exp(W_j / mu), normalized. The
 * division by the mean norm is the code's, not the paper's. Domains without weight count for nothing.
 * @param learningRate of the model's step, by which the gain is scaled
 */
export function dogeUpdate(
  state: DomainWeights,
  { target, own }: GradientProducts,
  learningRate: number,
  { variant, mu, smoothing, gainMin, gainMax }: DogeOptions,
): DomainWeights {
  const present = state.weights.flatMap((weight, d) => (weight > 0 ? [d] : []))
  const meanNorm = present.reduce((sum, d) => sum + Math.sqrt(own[d]!), 0) / present.length
  const gains = state.weights.map((weight, d) => {
    if (weight === 0) return 0
    const elsewhere = variant === 'universal' ? target[d]! - own[d]! : target[d]!
    const bounded = Math.min(Math.max(elsewhere / (meanNorm + tiny), gainMin), gainMax)
    return (learningRate * bounded) / mu
  })
  return exponentiated(state, gains, smoothing)
}
