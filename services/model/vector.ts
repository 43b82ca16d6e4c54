/** Sums in index order and float64, so that they are the same everywhere. */

type Vector = Float64Array | Float32Array

export function dot(a: Vector, b: Vector): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

export function norm(a: Vector): number {
  return Math.sqrt(dot(a, a))
}

/** target += scale * values. */
export function addScaled(target: Float64Array, values: Vector, scale: number): void {
  for (let i = 0; i < target.length; i++) target[i]! += scale * values[i]!
}
