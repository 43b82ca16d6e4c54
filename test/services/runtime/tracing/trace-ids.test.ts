import { isValidSpanId, isValidTraceId } from '@opentelemetry/api'
import { parseTraceParent } from '@opentelemetry/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { traceOfDocument, traceOfRound } from '../../../../services/runtime/tracing/trace-ids.ts'

const docId = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

test('a document’s trace id is derived from its id, and is valid for OpenTelemetry', () => {
  fc.assert(
    fc.property(docId, (id) => {
      const headers = traceOfDocument(id, 1)!
      expect(headers).toEqual(traceOfDocument(id, 1))
      const { traceId, spanId, traceFlags } = parseTraceParent(headers.traceparent)!
      expect([isValidTraceId(traceId), isValidSpanId(spanId), traceFlags]).toEqual([true, true, 1])
    }),
  )
})

test('the derivation never changes: old traces are found by today’s ids', () => {
  expect(traceOfDocument(5n, 1)).toEqual({ traceparent: '00-4bda3f792f0d8e5d45baa18731b63c31-6ac39219f6c3dde9-01' })
  expect(traceOfRound('pretraining-3', 2)).toEqual({
    traceparent: '00-1226a3cd22d6a1bde77e01817f17182b-c113e7dceaef7cc7-01',
  })
})

test('neighbouring documents share no trace, and neither do rounds or runs', () => {
  const headers = Array.from({ length: 2000 }, (_, i) => traceOfDocument(BigInt(i), 1)!.traceparent.split('-')[1])
  const rounds = ['a', 'b'].flatMap((run) =>
    [0, 1, 2].map((round) => traceOfRound(run, round).traceparent.split('-')[1]),
  )
  expect(new Set([...headers, ...rounds]).size).toBe(2006)
})

test('a ratio traces that share of documents, including all those of any smaller ratio', () => {
  const ids = Array.from({ length: 4000 }, (_, i) => BigInt(i) * 1_000_003n)
  const traced = (ratio: number) => new Set(ids.filter((id) => traceOfDocument(id, ratio) !== undefined))
  expect(traced(0).size).toBe(0)
  expect(traced(1).size).toBe(4000)
  expect(traced(0.25).size).toBeGreaterThan(900)
  expect(traced(0.25).size).toBeLessThan(1100)
  expect([...traced(0.1)].filter((id) => !traced(0.25).has(id))).toEqual([])
})
