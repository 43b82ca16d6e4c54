import { propagation, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { afterEach, expect, test } from 'vitest'
import { Label, SelectionChunk } from '../../../../schemas/index.ts'
import type { IncomingRecord, TraceHeaders } from '../../../../services/runtime/kafka/port.ts'
import { traceOfDocument, traceOfRound } from '../../../../services/runtime/tracing/trace-ids.ts'
import { StationTraces } from '../../../../services/runtime/tracing/tracing.ts'

const incoming = (key: string, headers?: TraceHeaders): IncomingRecord => ({
  topic: 'winnow.documents',
  partition: 0,
  offset: 0,
  key: Buffer.from(key),
  value: null,
  trace: headers,
})
const label = (docId: bigint) => ({
  topic: 'winnow.labels.q',
  record: Label,
  key: `${docId}`,
  value: { docId, actor: 'q' },
})
const chunk = (docIds: bigint[]) => ({
  topic: 'winnow.run.r.selections',
  record: SelectionChunk,
  key: '2',
  value: { run: 'r', round: 2, indexFirst: 0, docIds: BigUint64Array.from(docIds) },
})
const own = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'crawler=7' }

afterEach(() => {
  trace.disable()
  propagation.disable()
})

/** An SDK as a user registers it. */
function register(): InMemorySpanExporter {
  const exporter = new InMemorySpanExporter()
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }))
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  return exporter
}

test('records about a document carry the trace that the document came with', () => {
  const traces = new StationTraces('labeler q', 1)
  traces.begin([incoming('5', own)])
  expect(traces.of(label(5n))).toEqual(own)
  traces.end()
  traces.begin([])
  expect(traces.of(label(5n))).toEqual(traceOfDocument(5n, 1))
})

test('a selection carries its round’s trace, and records about neither carry none', () => {
  const traces = new StationTraces('console', 1)
  expect(traces.of(chunk([1n, 2n]))).toEqual(traceOfRound('r', 2))
  expect(traces.of({ ...label(1n), value: {} })).toBeUndefined()
})

test('with an SDK a document has a span at each station, in its trace, as child of the previous one', () => {
  const exporter = register()
  const document = traceOfDocument(5n, 1)!
  const traces = new StationTraces('labeler q', 1)
  traces.begin([incoming('5', document), incoming('6', traceOfDocument(6n, 1))])
  const written = traces.of(label(5n))!
  expect(exporter.getFinishedSpans()).toEqual([])
  traces.end()
  const [span, other] = exporter.getFinishedSpans()
  const [, traceId, parent] = document.traceparent.split('-')
  expect(span!.name).toBe('labeler q')
  expect(span!.spanContext().traceId).toBe(traceId)
  expect(span!.parentSpanContext?.spanId).toBe(parent)
  expect(other!.spanContext().traceId).not.toBe(traceId)
  expect(written.traceparent).toBe(`00-${traceId}-${span!.spanContext().spanId}-01`)
})

test('with an SDK the span of a selection links to the traces of its first documents', () => {
  const exporter = register()
  const traces = new StationTraces('console', 1)
  const docIds = Array.from({ length: 300 }, (_, i) => BigInt(i))
  const written = traces.of(chunk(docIds))!
  const [span] = exporter.getFinishedSpans()
  const traceIds = docIds.slice(0, 128).map((id) => traceOfDocument(id, 1)!.traceparent.split('-')[1])
  expect(span!.links.map(({ context }) => context.traceId)).toEqual(traceIds)
  expect(written.traceparent.split('-')[1]).toBe(traceOfRound('r', 2).traceparent.split('-')[1])
})
