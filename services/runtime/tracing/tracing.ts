import { context, type Link, propagation, ROOT_CONTEXT, type Span, SpanKind, trace } from '@opentelemetry/api'
import { asDocumentId, type SelectionChunk } from '../../../schemas/index.ts'
import type { Outgoing } from '../../../topologies/node.ts'
import type { IncomingRecord, TraceHeaders } from '../kafka/port.ts'
import { traceOfDocument, traceOfRound } from './trace-ids.ts'

/** Links per selection chunk, one per document: as many as backends accept. */
const linksMax = 128
/** At most this many spans per batch; the other records only keep their headers. */
const spansMax = 1000

/**
 * The trace contexts of a station. What it writes about a document belongs to the trace that the document came with, else to the one derived
 * from its id; what it writes about a round, to the round's. Folds never depend on headers: no station sees them.
 *
 * If an OpenTelemetry SDK is registered (docs/operating.md), each traced record of a batch gets a span, whose context goes into what is
 * written; without one, contexts are passed on unchanged, at the cost of a map lookup.
 */
export class StationTraces {
  readonly #ratio: number
  readonly #station: string
  readonly #tracer = trace.getTracer('winnow')
  #incoming = new Map<string, TraceHeaders>()
  #spans: Span[] = []

  constructor(station: string, ratio: number) {
    this.#station = station
    this.#ratio = ratio
  }

  begin(records: readonly IncomingRecord[]): void {
    this.#incoming = new Map()
    // Without an SDK the propagator has no fields.
    const exported = propagation.fields().length > 0
    for (const { key, topic, trace: headers } of records) {
      if (key === null || headers === undefined) continue
      const spanned = exported && this.#spans.length < spansMax
      this.#incoming.set(key.toString(), spanned ? this.#span(headers, topic) : headers)
    }
  }

  end(): void {
    for (const span of this.#spans) span.end()
    this.#spans = []
  }

  /** The headers of a record about to be written. */
  of({ key, value }: Outgoing): TraceHeaders | undefined {
    const came = this.#incoming.get(key)
    if (came !== undefined) return came
    const { docId, run, round, docIds } = value as {
      docId?: unknown
      run?: unknown
      round?: unknown
      docIds?: SelectionChunk['docIds']
    }
    if (typeof docId === 'bigint') return traceOfDocument(docId, this.#ratio)
    if (typeof run !== 'string' || typeof round !== 'number') return undefined
    const headers = traceOfRound(run, round)
    return docIds !== undefined && propagation.fields().length > 0 ? this.#selection(headers, docIds) : headers
  }

  #span(headers: TraceHeaders, topic: string): TraceHeaders {
    const options = {
      kind: SpanKind.CONSUMER,
      attributes: { 'messaging.system': 'kafka', 'messaging.destination.name': topic },
    }
    const span = this.#tracer.startSpan(this.#station, options, propagation.extract(ROOT_CONTEXT, headers))
    this.#spans.push(span)
    return injected(span, headers)
  }

  /** The documents of a selection have traces of their own: its span links to them. */
  #selection(headers: TraceHeaders, docIds: SelectionChunk['docIds']): TraceHeaders {
    const links = Array.from(docIds.subarray(0, linksMax), asDocumentId).flatMap((docId): Link[] => {
      const document = traceOfDocument(docId, this.#ratio)
      const linked = document && trace.getSpanContext(propagation.extract(ROOT_CONTEXT, document))
      return linked === undefined ? [] : [{ context: linked }]
    })
    const parent = propagation.extract(ROOT_CONTEXT, headers)
    const span = this.#tracer.startSpan(`${this.#station}: selection`, { kind: SpanKind.PRODUCER, links }, parent)
    span.end()
    return injected(span, headers)
  }
}

function injected(span: Span, came: TraceHeaders): TraceHeaders {
  const carrier: { traceparent?: string; tracestate?: string } = {}
  propagation.inject(trace.setSpan(context.active(), span), carrier)
  const { traceparent, tracestate } = carrier
  return traceparent === undefined ? came : { traceparent, ...(tracestate !== undefined && { tracestate }) }
}
