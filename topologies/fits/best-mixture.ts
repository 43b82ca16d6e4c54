import type { Predict } from './table.ts'
import type { Uniforms } from './uniforms.ts'

/**
 * The mixture with the lowest predicted loss among draws of Dirichlet(prior), as RegMix looks for it (its regression.ipynb: 100,000 draws, untempered,
 * the mean of the best 128). The paper takes the best one alone (3.3: "top-ranked configuration").
 */
export interface Search {
  readonly draws: number
  /** 1: the best draw alone. */
  readonly mean: number
  /** Highest share by subcategory, for instance what the corpus can give of the budget; draws above it are passed over. */
  readonly bounds?: readonly number[]
}

export const regMixSearch: Search = { draws: 100_000, mean: 128 }

export interface BestMixture {
  /** Shares by subcategory; they sum to 1 up to rounding. */
  readonly shares: readonly number[]
  /** Predicted at the shares. */
  readonly loss: number
  /** Draws within the bounds. */
  readonly considered: number
}

/**
 * @param prior tokens by subcategory; those without any stay at 0
 * @returns null where no draw lies within the bounds
 * @throws RangeError where no subcategory has tokens
 */
export function bestMixture(
  prior: readonly number[],
  predict: Predict,
  uniforms: Uniforms,
  { draws, mean, bounds }: Search = regMixSearch,
): BestMixture | null {
  const total = prior.reduce((a, b) => a + b, 0)
  if (!(total > 0)) throw new RangeError('no subcategory has tokens')
  const present = prior.flatMap((tokens, at) => (tokens > 0 ? [at] : []))
  const alpha = present.map((at) => prior[at]! / total)
  const best: { loss: number; shares: number[] }[] = []
  let considered = 0
  for (let i = 0; i < draws; i++) {
    const draw = uniforms.dirichlet(alpha)
    const shares = new Array<number>(prior.length).fill(0)
    present.forEach((at, j) => {
      shares[at] = draw[j]!
    })
    if (bounds?.some((bound, at) => shares[at]! > bound)) continue
    considered++
    const loss = predict(shares)
    if (best.length === mean && loss >= best.at(-1)!.loss) continue
    // After those of the same loss: the first of equals stays.
    const at = best.findIndex((other) => other.loss > loss)
    best.splice(at === -1 ? best.length : at, 0, { loss, shares })
    if (best.length > mean) best.pop()
  }
  if (best.length === 0) return null
  const shares = prior.map((_, at) => best.reduce((sum, one) => sum + one.shares[at]!, 0) / best.length)
  return { shares, loss: predict(shares), considered }
}
