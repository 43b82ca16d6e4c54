import { type DomainWeights, exponentiated, initialDomainWeights } from './averaged.ts'

/**
 * DoReMi (Xie et al. 2023, arXiv 2305.10429, Algorithm 1): a proxy trained by group distributionally robust optimization. After each batch a domain gains
 * by its mean excess loss over a reference model, so that the proxy works where most can still be learned.
 */
export interface DoremiOptions {
  /** Step size of the exponentiated gradient. */
  readonly rate: number
  /** Share of the weights that is spread evenly after each update. */
  readonly smoothing: number
}

/** The authors' code (`reweight_eta`, `reweight_eps`). */
export const doremiDefaults: DoremiOptions = { rate: 1, smoothing: 1e-4 }

export interface DoremiState extends DomainWeights {
  /** lambda: the last mean excess of each domain; one that a batch lacks keeps its own. */
  readonly excess: readonly number[]
}

/** @param prior shares by which rows are sampled and with which the weights begin */
export const doremiStart = (prior: readonly number[]): DoremiState => ({
  ...initialDomainWeights(prior),
  excess: prior.map(() => 0),
})

/** Losses of the tokens of some rows, all of one domain, under the proxy and the reference model, in nats. */
export interface RowLosses {
  readonly domain: number
  readonly proxy: ArrayLike<number>
  readonly reference: ArrayLike<number>
}

/**
 * Mean over the tokens of each domain in the batch of max(proxy loss - reference loss, 0): clipped per token, as in the authors' code, not per domain.
 * null: no row of that domain.
 */
export function excessByDomain(rows: readonly RowLosses[], domains: number): (number | null)[] {
  const sums = new Float64Array(domains)
  const counts = new Float64Array(domains)
  for (const { domain, proxy, reference } of rows) {
    for (let t = 0; t < proxy.length; t++) sums[domain]! += Math.max(proxy[t]! - reference[t]!, 0)
    counts[domain]! += proxy.length
  }
  return Array.from(sums, (sum, d) => (counts[d] === 0 ? null : sum / counts[d]!))
}

/** One update by a batch's excess losses. */
export function doremiUpdate(
  state: DoremiState,
  excess: readonly (number | null)[],
  { rate, smoothing }: DoremiOptions,
): DoremiState {
  const last = state.excess.map((before, d) => excess[d] ?? before)
  const moved = exponentiated(
    state,
    last.map((value) => rate * value),
    smoothing,
  )
  return { ...moved, excess: last }
}

/**
 * The weight of each row's tokens in the proxy's loss: weight / prior of its domain, since rows are sampled by the prior; scaled so that they average 1
 * over the batch.
 */
export function rowWeights(domains: readonly number[], weights: readonly number[], prior: readonly number[]): number[] {
  const raw = domains.map((d) => weights[d]! / prior[d]!)
  const total = raw.reduce((a, b) => a + b, 0)
  return raw.map((weight) => (weight * raw.length) / total)
}
