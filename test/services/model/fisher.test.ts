import { describe, expect, it } from 'vitest'
import { fisherInverse } from '../../../services/model/fisher.ts'
import { generator, solved } from './support.ts'

/** H = G^T G / n + lambda I itself, lambda `damping` times the mean of the n eigenvalues of G G^T / n. */
function fisher(rows: readonly Float32Array[], damping: number): number[][] {
  const n = rows.length
  const size = rows[0]!.length
  const trace = rows.reduce((sum, row) => sum + row.reduce((squares, value) => squares + value * value, 0), 0) / n
  return Array.from({ length: size }, (_, i) =>
    Array.from(
      { length: size },
      (_, j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0) / n + (i === j ? (damping * trace) / n : 0),
    ),
  )
}

describe('the damped Fisher matrix', () => {
  it.each([
    [5, 12, 0.1],
    [12, 5, 0.1],
    [40, 8, 1],
    [1, 6, 0.001],
  ])(
    'of %i gradients of %i values, damping %f, is inverted as by elimination on the full matrix',
    async (n, size, damping) => {
      const random = generator(100 * n + size)
      const rows = Array.from({ length: n }, () => Float32Array.from({ length: size }, () => 1e-3 * (random() - 0.5)))
      const vector = Float64Array.from({ length: size }, () => random() - 0.5)
      const result = (await fisherInverse(rows, damping))(vector)
      const expected = solved(fisher(rows, damping), [...vector])
      const error = Math.hypot(...expected.map((value, i) => value - result[i]!))
      expect(error / Math.hypot(...expected)).toBeLessThan(1e-9)
    },
  )

  it('weighs a direction less the more the reference samples vary along it', async () => {
    const rows = [Float32Array.of(3, 0), Float32Array.of(-3, 0), Float32Array.of(0, 1), Float32Array.of(0, -1)]
    const [loud, quiet] = (await fisherInverse(rows, 0.01))(Float64Array.of(1, 1))
    expect(loud! / quiet!).toBeGreaterThan(0.1)
    expect(loud! / quiet!).toBeLessThan(0.13)
  })

  it('gives zeros if all gradients vanish', async () => {
    const inverse = await fisherInverse([new Float32Array(3), new Float32Array(3)], 0.1)
    expect([...inverse(Float64Array.of(1, 2, 3))]).toEqual([0, 0, 0])
  })
})
