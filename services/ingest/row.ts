import { isUtf8 } from 'node:buffer'
import { parseJson } from '../../schemas/index.ts'
import type { Line } from './lines.ts'

/** Why a row became no document; the stable codes in dead letters. */
export type RejectReason =
  | 'not-json'
  | 'not-utf8'
  | 'no-text'
  | 'empty-text'
  | 'too-large'
  | 'too-long-line'
  | 'truncated-file'
  | 'corrupt-file'

export interface Rejection {
  readonly reason: RejectReason
  readonly message: string
}

export interface ParsedRow {
  readonly text: string
  /** The row without its text, as JSON. */
  readonly meta: string
}

/**
 * One row of SlimPajama's layout: a JSON object with a `text`. Everything else of it is kept as it is in `meta`.
 * A lone surrogate in a JSON escape has no UTF-8 form: it becomes U+FFFD, always the same way.
 */
export function parseRow(line: Line): ParsedRow | Rejection {
  if (line.tooLong) {
    return { reason: 'too-long-line', message: `the line has ${line.byteLength} bytes; only its first bytes are kept` }
  }
  if (!isUtf8(line.bytes)) return { reason: 'not-utf8', message: 'the line is not UTF-8' }
  let row: unknown
  try {
    row = parseJson(line.bytes.toString('utf8'))
  } catch (error) {
    return { reason: 'not-json', message: `the line is not JSON: ${(error as Error).message}` }
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    return { reason: 'not-json', message: 'the line is JSON, but not an object' }
  }
  const { text, ...rest } = row as Record<string, unknown>
  if (text === undefined) return { reason: 'no-text', message: "the row has no 'text'" }
  if (typeof text !== 'string') return { reason: 'no-text', message: "the row's 'text' is not a string" }
  if (!/\S/.test(text)) return { reason: 'empty-text', message: "the row's 'text' is empty" }
  try {
    return { text: text.toWellFormed(), meta: JSON.stringify(rest) }
  } catch (error) {
    // What JSON.parse reads without a stack cannot be written without one.
    return { reason: 'not-json', message: `the row is nested too deep: ${(error as Error).message}` }
  }
}
