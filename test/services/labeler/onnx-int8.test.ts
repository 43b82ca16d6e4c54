import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

/**
 * Integer products as processors compute them. With VNNI four products of a uint8 and an int8 are added in 32 bits; with AVX2 alone two are added in
 * 16 bits and saturate (vpmaddubsw), and then two such sums in 32 bits.
 */
const clampInt16 = (value: number) => Math.min(32_767, Math.max(-32_768, value))

function dotExact(activations: Uint8Array, weights: Int8Array): number {
  return activations.reduce((sum, activation, i) => sum + activation * weights[i]!, 0)
}

function dotOfSaturatingPairs(activations: Uint8Array, weights: Int8Array): number {
  let sum = 0
  for (let i = 0; i < weights.length; i += 2) {
    const second = i + 1 < weights.length ? activations[i + 1]! * weights[i + 1]! : 0
    sum += clampInt16(activations[i]! * weights[i]! + second)
  }
  return sum
}

interface Int8Tensor {
  readonly name: string
  readonly shape: number[]
  readonly values: Int8Array
}

/** Fields of a protobuf message: numbers of varints, bytes of everything that has a length. */
function* fieldsOf(message: Buffer): Generator<{ field: number; value: number; bytes: Buffer }> {
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++]!
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const wire = tag & 7
    const none = Buffer.alloc(0)
    if (wire === 0) yield { field: tag >>> 3, value: varint(), bytes: none }
    else {
      const length = wire === 2 ? varint() : wire === 1 ? 8 : 4
      at += length
      yield { field: tag >>> 3, value: 0, bytes: message.subarray(at - length, at) }
    }
  }
}

/** The int8 weights of a graph: ModelProto.graph is field 7, GraphProto.initializer 5; TensorProto has dims 1, data_type 2 (INT8 is 3), name 8, raw_data 9. */
function int8Tensors(file: string): Int8Tensor[] {
  const only = (message: Buffer, wanted: number) => [...fieldsOf(message)].filter(({ field }) => field === wanted)
  return only(readFileSync(file), 7)
    .flatMap(({ bytes }) => only(bytes, 5))
    .filter(({ bytes }) => only(bytes, 2)[0]?.value === 3)
    .map(({ bytes }) => ({
      name: only(bytes, 8)[0]!.bytes.toString(),
      // Packed or not, every dimension is below 128 here: a byte each.
      shape: only(bytes, 1).flatMap(({ value, bytes }) => (bytes.length > 0 ? [...bytes] : [value])),
      values: new Int8Array(only(bytes, 9)[0]?.bytes ?? []),
    }))
}

const column = ({ shape: [rows, columns], values }: Int8Tensor, n: number) =>
  Int8Array.from({ length: rows! }, (_, k) => values[k * columns! + n]!)

describe('an int8 graph of 7-bit weights', () => {
  const file = join(import.meta.dirname, 'fixtures/topic/model_quantized.onnx')
  const matrices = int8Tensors(file).filter(({ shape }) => shape.length === 2)

  test('gives the same sums whether or not pairs of products saturate at 16 bits, whatever the activations', () => {
    expect(matrices.length).toBeGreaterThanOrEqual(6)
    for (const matrix of matrices) {
      const [rows, columns] = matrix.shape
      expect(matrix.values).toHaveLength(rows! * columns!)
      for (let n = 0; n < columns!; n++) {
        const weights = column(matrix, n)
        // The worst there are: all that push a sum up, and all that push it down.
        const worst = [1, -1].map((sign) => Uint8Array.from(weights, (weight) => (weight * sign > 0 ? 255 : 0)))
        for (const activations of worst) {
          expect(dotOfSaturatingPairs(activations, weights)).toBe(dotExact(activations, weights))
        }
      }
    }
  })

  test('needs the 7 bits: with 8-bit weights the sums differ', () => {
    const both = (bound: number) =>
      fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: -bound, max: bound })), { maxLength: 64 })
    const agree = (pairs: [number, number][]) => {
      const activations = Uint8Array.from(pairs, ([activation]) => activation)
      const weights = Int8Array.from(pairs, ([, weight]) => weight)
      return dotOfSaturatingPairs(activations, weights) === dotExact(activations, weights)
    }
    fc.assert(fc.property(both(64), agree))
    expect(
      agree([
        [255, 64],
        [255, 64],
      ]),
    ).toBe(true)
    expect(
      agree([
        [255, 65],
        [255, 64],
      ]),
    ).toBe(false)
    expect(
      agree([
        [255, -127],
        [255, -127],
      ]),
    ).toBe(false)
  })
})
