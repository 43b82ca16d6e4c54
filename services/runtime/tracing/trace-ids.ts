import { createHash } from 'node:crypto'
import { splitmix64 } from '../../../topologies/selection/u64.ts'
import type { TraceHeaders } from '../kafka/port.ts'

/** Any three different numbers: ids of documents and traces are to be related by this function alone. */
const [upperSeed, lowerSeed, spanSeed] = [0x77696e6e6f772d31n, 0x77696e6e6f772d32n, 0x77696e6e6f772d33n] as const

const sampled = '01'

/**
 * The trace of a document, derived from its id alone: whoever knows a document knows its trace, at every station and years later, and a replay
 * writes identical headers. Nothing is stored or random.
 * @param ratio the share of documents that are traced; the same documents at every station
 * @returns undefined for a document that is not traced
 */
export function traceOfDocument(docId: bigint, ratio: number): TraceHeaders | undefined {
  const lower = splitmix64(docId ^ lowerSeed)
  // Like OpenTelemetry's ratio-based sampler: by the trace id's last 56 bits.
  if (ratio < 1 && Number(BigInt.asUintN(56, lower)) >= ratio * 2 ** 56) return undefined
  const id = hex(splitmix64(docId ^ upperSeed)) + hex(lower)
  return { traceparent: `00-${id}-${hex(splitmix64(docId ^ spanSeed))}-${sampled}` }
}

/** The trace of a run's round: its decisions, the actors' states and the selection, which consists of many documents. */
export function traceOfRound(run: string, round: number): TraceHeaders {
  const digest = createHash('sha256').update(`winnow round ${run}/${round}`).digest('hex')
  return { traceparent: `00-${digest.slice(0, 32)}-${digest.slice(32, 48)}-${sampled}` }
}

/** 16 hex digits; 0 means "none" in a trace context, so one id in 2^64 is mapped to another. */
const hex = (id: bigint): string => (id === 0n ? 1n : id).toString(16).padStart(16, '0')
