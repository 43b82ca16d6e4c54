import { Uniforms } from '../fits/uniforms.ts'
import { seedOf } from '../selection/u64.ts'

/**
 * The domain of each row of a step's batch, drawn by the prior: a function of seed and step, so that the reference model and the proxy of DoReMi read the
 * same rows, and training resumed draws what it would have drawn.
 * @param prior any amounts, such as tokens; a domain with 0 is never drawn
 */
export function domainsOfStep(
  seed: string | number | bigint,
  step: number,
  rows: number,
  prior: readonly number[],
): number[] {
  const total = prior.reduce((a, b) => a + b, 0)
  const last = prior.findLastIndex((amount) => amount > 0)
  const uniforms = new Uniforms(seedOf(seed, step, 'doremi:rows'))
  return Array.from({ length: rows }, () => {
    let left = uniforms.uniform() * total
    for (const [d, amount] of prior.entries()) {
      if (left < amount) return d
      left -= amount
    }
    // Rounding may leave a trace.
    return last
  })
}

/** Rows that DoGE takes of each domain a step: together at least a batch. */
export const rowsPerDomain = (batch: number, domains: number): number => Math.ceil(batch / domains)
