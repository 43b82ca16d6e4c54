/** Linear systems of a few dozen unknowns, in one fixed order of operations. */

/** L with L L' = the matrix, lower triangular. @throws RangeError where the matrix is not positive definite */
export function cholesky(matrix: readonly (readonly number[])[]): number[][] {
  const lower = matrix.map((row) => row.map(() => 0))
  for (let i = 0; i < matrix.length; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i]![j]!
      for (let k = 0; k < j; k++) sum -= lower[i]![k]! * lower[j]![k]!
      if (i === j && !(sum > 0)) throw new RangeError('a matrix that should be positive definite is not')
      lower[i]![j] = i === j ? Math.sqrt(sum) : sum / lower[j]![j]!
    }
  }
  return lower
}

/** x of L x = right. */
export function solveLower(lower: readonly (readonly number[])[], right: readonly number[]): number[] {
  const x: number[] = []
  for (let i = 0; i < right.length; i++) {
    let sum = right[i]!
    for (let k = 0; k < i; k++) sum -= lower[i]![k]! * x[k]!
    x.push(sum / lower[i]![i]!)
  }
  return x
}

/** x of L L' x = right. */
export function solve(lower: readonly (readonly number[])[], right: readonly number[]): number[] {
  const x = solveLower(lower, right)
  for (let i = right.length - 1; i >= 0; i--) {
    for (let k = i + 1; k < right.length; k++) x[i]! -= lower[k]![i]! * x[k]!
    x[i]! /= lower[i]![i]!
  }
  return x
}

/** X'X of rows, with an addition to its diagonal. */
export function gram(rows: readonly (readonly number[])[], diagonal: number): number[][] {
  const size = rows[0]?.length ?? 0
  const sums = Array.from({ length: size }, () => new Array<number>(size).fill(0))
  for (const row of rows) for (let a = 0; a < size; a++) for (let b = 0; b <= a; b++) sums[a]![b]! += row[a]! * row[b]!
  for (let a = 0; a < size; a++) {
    sums[a]![a]! += diagonal
    for (let b = 0; b < a; b++) sums[b]![a] = sums[a]![b]!
  }
  return sums
}

/** X'y of rows. */
export function moments(rows: readonly (readonly number[])[], target: readonly number[]): number[] {
  const sums = new Array<number>(rows[0]?.length ?? 0).fill(0)
  rows.forEach((row, i) => {
    for (let a = 0; a < sums.length; a++) sums[a]! += row[a]! * target[i]!
  })
  return sums
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!
  return sum
}
