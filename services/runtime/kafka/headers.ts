import type { IHeaders } from 'kafkajs'
import type { OutgoingRecord, TraceHeaders } from './port.ts'
import { fitsWithTrace } from './record-size.ts'

/** The trace context in a record's headers, if there is one. */
export function traceIn(headers: IHeaders | undefined): { trace?: TraceHeaders } {
  const traceparent = headers?.traceparent
  if (traceparent === undefined) return {}
  const tracestate = headers?.tracestate
  return {
    trace: { traceparent: String(traceparent), ...(tracestate !== undefined && { tracestate: String(tracestate) }) },
  }
}

/** The headers of a record to be sent; none if it would not fit with them: content takes precedence over tracing. */
export const headersOf = (record: OutgoingRecord): { headers?: IHeaders } =>
  record.trace !== undefined && fitsWithTrace(record) ? { headers: { ...record.trace } } : {}
