import { expOf, lnOf } from './elementary.ts'

/** L(x) = floor + scale (x / unit)^-exponent: how a loss falls with steps, or with parameters (Ye et al. 2024, section 4). Falls, or is constant. */
export interface PowerLaw {
  /** Where it ends: at least 0. */
  readonly floor: number
  /** What is above the floor at the unit: at least 0; 0: the losses do not fall. */
  readonly scale: number
  readonly exponent: number
  /** The largest x of the points: powers are near 1 there. */
  readonly unit: number
}

export interface Point {
  readonly x: number
  readonly loss: number
}

/** Exponents that are tried; scaling laws have 0.05 to 0.7. */
const [lowest, highest] = [0.01, 4]
const grid = 64
/** Each narrows the bracket by the golden ratio: from a step of the grid to the last bits. */
const narrowings = 48
const golden = 0.6180339887498949

/** Fewest points of a law with a floor: three would be met exactly, whatever they are. */
export const fewestPoints = 4

/**
 * Least squares over floor, scale and exponent: for a given exponent the other two are linear, so that one number alone is searched, over a grid evenly in
 * its logarithm and then by golden sections.
 * @param points of at least two different x
 */
export function fitPowerLaw(points: readonly Point[]): PowerLaw {
  const unit = Math.max(...points.map(({ x }) => x))
  const logarithms = points.map(({ x }) => lnOf(x / unit))
  const losses = points.map(({ loss }) => loss)
  const at = (lnExponent: number) => given(expOf(lnExponent), logarithms, losses)
  const [from, to] = [lnOf(lowest), lnOf(highest)]
  const step = (to - from) / (grid - 1)
  const tried = Array.from({ length: grid }, (_, i) => at(from + i * step))
  const best = tried.reduce((a, b, i) => (b.error < tried[a]!.error ? i : a), 0)
  let [low, high] = [from + Math.max(0, best - 1) * step, from + Math.min(grid - 1, best + 1) * step]
  for (let i = 0; i < narrowings; i++) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)]
    if (at(left).error <= at(right).error) high = right
    else low = left
  }
  const narrowed = at((low + high) / 2)
  const { floor, scale, exponent } = narrowed.error <= tried[best]!.error ? narrowed : tried[best]!
  return { floor, scale, exponent, unit }
}

/** The best floor and scale for an exponent, neither below 0. */
function given(
  exponent: number,
  logarithms: readonly number[],
  losses: readonly number[],
): Omit<PowerLaw, 'unit'> & { error: number } {
  const powers = logarithms.map((logarithm) => expOf(-exponent * logarithm))
  const [meanPower, meanLoss] = [mean(powers), mean(losses)]
  const spread = sum(powers.map((power) => square(power - meanPower)))
  const slope = sum(powers.map((power, i) => (power - meanPower) * (losses[i]! - meanLoss))) / spread
  const free = { floor: meanLoss - slope * meanPower, scale: slope }
  // On the edge that the best one lies beyond.
  const law =
    free.scale < 0
      ? { floor: meanLoss, scale: 0 }
      : free.floor < 0
        ? {
            floor: 0,
            scale: sum(powers.map((power, i) => power * losses[i]!)) / sum(powers.map((power) => square(power))),
          }
        : free
  const error = sum(powers.map((power, i) => square(losses[i]! - law.floor - law.scale * power)))
  return { ...law, exponent, error }
}

/**
 * L(x) = A / x^exponent through two points, where a floor cannot be told: the floor is 0. Losses that do not fall give their mean.
 * @param points of two different x
 */
export function throughTwo([a, b]: readonly [Point, Point]): PowerLaw {
  const [near, far] = a.x < b.x ? [a, b] : [b, a]
  const exponent = lnOf(near.loss / far.loss) / lnOf(far.x / near.x)
  if (!(exponent > 0)) return { floor: (near.loss + far.loss) / 2, scale: 0, exponent: 0, unit: far.x }
  return { floor: 0, scale: far.loss, exponent, unit: far.x }
}

export const predictPowerLaw = ({ floor, scale, exponent, unit }: PowerLaw, x: number): number =>
  floor + scale * expOf(-exponent * lnOf(x / unit))

const square = (value: number): number => value * value
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const mean = (values: readonly number[]): number => sum(values) / values.length
