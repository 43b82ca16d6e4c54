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
  | 'sealed-text'
  | 'truncated-file'
  | 'corrupt-file'

export interface Rejection {
  readonly reason: RejectReason
  readonly message: string
  /** The keys of a row that has no text. */
  readonly fields?: readonly string[]
}

export interface ParsedRow {
  readonly text: string
  /** The row without its text, as JSON. */
  readonly meta: string
}

/**
 * A row of SlimPajama's layout: a JSON object with a `text`. Everything else in it is kept unchanged in `meta`. A lone surrogate in a JSON
 * escape has no UTF-8 form: it always becomes U+FFFD. @param textField the field with the text, if not `text`: a key, or keys of nested
 * objects joined by dots (`data.body`)
 */
export function parseRow(line: Line, textField = 'text'): ParsedRow | Rejection {
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
  const { text, rest } = withoutText(row as Record<string, unknown>, textField)
  if (typeof text !== 'string') {
    const message = text === undefined ? `the row has no '${textField}'` : `the row's '${textField}' is not a string`
    return { reason: 'no-text', message, fields: Object.keys(row) }
  }
  if (!/\S/.test(text)) return { reason: 'empty-text', message: `the row's '${textField}' is empty` }
  try {
    return { text: text.toWellFormed(), meta: JSON.stringify(rest) }
  } catch (error) {
    // JSON.parse does not recurse where JSON.stringify does.
    return { reason: 'not-json', message: `the row is nested too deep: ${(error as Error).message}` }
  }
}

/** The text, and the row without it. A key that contains dots itself takes precedence over a path through objects. */
function withoutText(row: Record<string, unknown>, field: string): { text: unknown; rest: Record<string, unknown> } {
  const point = field.indexOf('.')
  if (Object.hasOwn(row, field) || point === -1) {
    const { [field]: text, ...rest } = row
    return { text, rest }
  }
  const key = field.slice(0, point)
  const inner = Object.hasOwn(row, key) ? row[key] : undefined
  if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return { text: undefined, rest: row }
  const { text, rest } = withoutText(inner as Record<string, unknown>, field.slice(point + 1))
  return { text, rest: { ...row, [key]: rest } }
}
