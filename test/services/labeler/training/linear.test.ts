import { describe, expect, it } from 'vitest'
import { minimize } from '../../../../services/labeler/training/lbfgs.ts'
import {
  appendDense,
  fitLinear,
  predictLinear,
  type SparseRows,
  takeRows,
} from '../../../../services/labeler/training/linear.ts'

/** Rows [1, 0], [0, 2], [3, 4] */
const rows: SparseRows = {
  starts: Uint32Array.of(0, 1, 2, 4),
  columns: Uint32Array.of(0, 1, 0, 1),
  values: Float32Array.of(1, 2, 3, 4),
  width: 2,
}

describe('minimize', () => {
  it('finds the minimum of a badly scaled quadratic function', () => {
    const point = Float64Array.of(5, -3)
    minimize(
      ([x, y], gradient) => {
        gradient.set([2 * (x! - 1), 2000 * (y! - 2)])
        return (x! - 1) ** 2 + 1000 * (y! - 2) ** 2
      },
      point,
      { iterations: 100, tolerance: 1e-14 },
    )
    expect(point[0]).toBeCloseTo(1, 5)
    expect(point[1]).toBeCloseTo(2, 5)
  })

  it('stays where it is at a minimum', () => {
    const point = Float64Array.of(0)
    expect(
      minimize(
        ([x], gradient) => {
          gradient[0] = 2 * x!
          return x! * x!
        },
        point,
        { iterations: 10, tolerance: 0 },
      ),
    ).toBe(0)
    expect(point[0]).toBe(0)
  })
})

describe('sparse rows', () => {
  it('can be chosen, repeated and reordered', () => {
    const taken = takeRows(rows, [2, 0, 2])
    expect([...taken.starts]).toEqual([0, 2, 3, 5])
    expect([...taken.columns]).toEqual([0, 1, 0, 0, 1])
    expect([...taken.values]).toEqual([3, 4, 1, 3, 4])
  })

  it('get dense columns after their own', () => {
    const joined = appendDense(takeRows(rows, [0, 1]), [
      [7, 8],
      [9, 10],
    ])
    expect(joined.width).toBe(4)
    expect([...joined.columns]).toEqual([0, 2, 3, 1, 2, 3])
    expect([...joined.values]).toEqual([1, 7, 8, 2, 9, 10])
  })
})

describe('fitLinear', () => {
  it('solves ridge regression as its closed form does', () => {
    // One column x = 1, 2, 3 with y = 1, 2, 4, centred: the slope is mean(xy) / (mean(xx) + l2) = 1 / (2/3 + 1/3) = 1, the bias 7/3 - 2.
    const column: SparseRows = {
      starts: Uint32Array.of(0, 1, 2, 3),
      columns: Uint32Array.of(0, 0, 0),
      values: Float32Array.of(1, 2, 3),
      width: 1,
    }
    const third = Float64Array.of(1 / 3, 1 / 3, 1 / 3)
    const model = fitLinear(
      column,
      { kind: 'regression', outputs: 1, values: [1, 2, 4], rowWeights: third },
      { l2: 1 / 3, iterations: 100 },
    )
    expect(model.weights[0]).toBeCloseTo(1, 2)
    expect(model.biases[0]).toBeCloseTo(1 / 3, 2)
  })

  it('without features fits biases to the logarithms of the class weights', () => {
    const empty: SparseRows = {
      starts: new Uint32Array(5),
      columns: new Uint32Array(0),
      values: new Float32Array(0),
      width: 1,
    }
    const model = fitLinear(
      empty,
      { kind: 'classification', outputs: 2, values: [0, 0, 0, 1], rowWeights: Float64Array.of(0.25, 0.25, 0.25, 0.25) },
      { l2: 1, iterations: 50 },
    )
    const [scores] = predictLinear(empty, model)
    expect(scores![0]! - scores![1]!).toBeCloseTo(Math.log(3), 2)
  })

  it('separates classes that can be separated', () => {
    const model = fitLinear(
      rows,
      { kind: 'classification', outputs: 3, values: [0, 1, 2], rowWeights: Float64Array.of(0.2, 0.3, 0.5) },
      { l2: 1e-4, iterations: 100 },
    )
    expect(predictLinear(rows, model).map((scores) => scores.indexOf(Math.max(...scores)))).toEqual([0, 1, 2])
  })
})
