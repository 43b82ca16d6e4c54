import { withoutNonFinite } from '../../schemas/index.ts'
import type { RejectionReason } from './reasons.ts'

/** A parsed line: the object, or why there is none (with the object as far as it is known). */
export interface ParsedLine {
  object: Record<string, unknown> | null
  reason: RejectionReason | null
  /** `record` in rejected.jsonl: JSON text, exactly as in the file if the line is JSON, so that no digit is lost. */
  record: string
}

const byteOrderMark = '\ufeff'

/** @returns null for a line of white space, which is skipped */
export function parseLine(bytes: Buffer, start: number, end: number, line: number): ParsedLine | null {
  let text = bytes.toString('utf8', start, end)
  if (line === 1 && text.startsWith(byteOrderMark)) text = text.slice(1)
  text = text.trim()
  if (text === '') return null
  const value = tryJson(text)
  if (value !== undefined) {
    return isObject(value)
      ? { object: value, reason: null, record: text }
      : { object: null, reason: 'not-an-object', record: text }
  }
  // Python writes NaN and Infinity, which JSON lacks.
  const repaired = tryJson(withoutNonFinite(text))
  const record = JSON.stringify(text)
  return isObject(repaired)
    ? { object: repaired, reason: 'not-finite', record }
    : { object: null, reason: 'not-json', record }
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value of an own key; names such as `constructor` must not be found on the prototype. */
export function own(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}
