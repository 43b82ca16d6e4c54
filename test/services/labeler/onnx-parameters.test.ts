import { join } from 'node:path'
import { expect, test } from 'vitest'
import { countParameters } from '../../../services/labeler/onnx/parameters.ts'

const count = (name: string) => countParameters(join(import.meta.dirname, 'fixtures', name))

/** Of the fixtures: one layer of width 16, 200 tokens, 64 positions, two types of token, and a pooler. */
const tables = (200 + 64 + 2) * 16
const matrices = 4 * 16 * 16 + 2 * 16 * 32 + 16 * 16

test('parameters that multiply are the matrices and the head, and all of them are also tables and vectors', () => {
  const regression = count('quality/model.onnx')
  expect(regression.parameters).toBe(matrices + 16)
  // Vectors of zeros and ones are in the graph once, however many layers have them.
  expect(regression.parametersAll - (tables + matrices + 16)).toBe(67)
  const classes = 3
  expect(count('topic/model.onnx').parameters).toBe(matrices + classes * 16)
})

test('an int8 graph has the same matrices as the graph that it was made from', () => {
  expect(count('topic/model_quantized.onnx').parameters).toBe(count('topic/model.onnx').parameters)
})
