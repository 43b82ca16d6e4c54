import { parseJson } from '../schemas/index.ts'

/**
 * The value at a path of keys separated by dots: in the row itself, or else in its `meta`, where SlimPajama's rows keep everything but the
 * text. A string on the path that is a JSON object or list is parsed (RedPajama's `meta`), and keys may contain dots.
 * @param row the row without its text, as `Document.meta` has it, parsed
 */
export function fieldAt(row: unknown, path: string): unknown {
  const keys = path.split('.')
  const own = valueAt(row, keys)
  return own ?? valueAt(valueAt(row, ['meta']), keys) ?? own
}

function valueAt(value: unknown, keys: readonly string[]): unknown {
  const [key, ...rest] = keys
  if (key === undefined) return value
  const fields = fieldsOf(value)
  if (fields === undefined) return undefined
  const whole = keys.join('.')
  if (Object.hasOwn(fields, whole)) return fields[whole]
  return Object.hasOwn(fields, key) ? valueAt(fields[key], rest) : undefined
}

function fieldsOf(value: unknown): Record<string, unknown> | undefined {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  if (typeof value !== 'string' || !/^\s*[{[]/.test(value)) return undefined
  try {
    return parseJson(value) as Record<string, unknown>
  } catch {
    return undefined
  }
}
