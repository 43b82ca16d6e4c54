/** Writes the gradient at `point` into `gradient` and returns the value. */
export type Objective = (point: Float64Array, gradient: Float64Array) => number

/** Pairs of steps that approximate the curvature; more gains little and costs memory. */
const memory = 6
const armijo = 1e-4
const halvingsMax = 30

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** direction = -(approximate inverse Hessian) * gradient: Nocedal's two loops. */
function descend(
  gradient: Float64Array,
  direction: Float64Array,
  steps: Float64Array[],
  changes: Float64Array[],
): void {
  for (let i = 0; i < direction.length; i++) direction[i] = -gradient[i]!
  const pairs = steps.map((step, p) => ({ step, change: changes[p]!, curvature: dot(step, changes[p]!), alpha: 0 }))
  for (const pair of pairs.toReversed()) {
    pair.alpha = dot(pair.step, direction) / pair.curvature
    for (let i = 0; i < direction.length; i++) direction[i]! -= pair.alpha * pair.change[i]!
  }
  const last = pairs.at(-1)
  if (last) {
    const scale = last.curvature / dot(last.change, last.change)
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale
  }
  for (const pair of pairs) {
    const beta = pair.alpha - dot(pair.change, direction) / pair.curvature
    for (let i = 0; i < direction.length; i++) direction[i]! += beta * pair.step[i]!
  }
}

/**
 * Minimizes a smooth convex function from `point`, in place, by L-BFGS (Nocedal and Wright, algorithm 7.5) with backtracking. Deterministic.
 * Ends after `iterations`, when an iteration lowers the value by less than `tolerance` of it, or when `watch`, called after each iteration,
 * returns true. Returns the value.
 */
export function minimize(
  objective: Objective,
  point: Float64Array,
  options: { iterations: number; tolerance: number; watch?: (iteration: number) => boolean },
): number {
  const steps: Float64Array[] = []
  const changes: Float64Array[] = []
  const direction = new Float64Array(point.length)
  let gradient = new Float64Array(point.length)
  let value = objective(point, gradient)
  for (let iteration = 0; iteration < options.iterations; iteration++) {
    descend(gradient, direction, steps, changes)
    const slope = dot(gradient, direction)
    if (!(slope < 0)) break
    const origin = point.slice()
    const gradientNext = new Float64Array(point.length)
    let rate = steps.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1
    let valueNext = value
    for (let halving = 0; halving < halvingsMax; halving++, rate /= 2) {
      for (let i = 0; i < point.length; i++) point[i] = origin[i]! + rate * direction[i]!
      valueNext = objective(point, gradientNext)
      if (valueNext <= value + armijo * rate * slope) break
    }
    if (!(valueNext < value)) {
      point.set(origin)
      break
    }
    const step = new Float64Array(point.length)
    const change = new Float64Array(point.length)
    for (let i = 0; i < point.length; i++) {
      step[i] = point[i]! - origin[i]!
      change[i] = gradientNext[i]! - gradient[i]!
    }
    if (dot(step, change) > 1e-12 * dot(change, change)) {
      steps.push(step)
      changes.push(change)
      if (steps.length > memory) {
        steps.shift()
        changes.shift()
      }
    }
    const gain = value - valueNext
    value = valueNext
    gradient = gradientNext
    if (options.watch?.(iteration + 1) || gain < options.tolerance * Math.abs(value)) break
  }
  return value
}
