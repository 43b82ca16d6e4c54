/** JSON as found in the rows of a corpus, which is a little more than JavaScript's: see `parseJson`. */

/** A number of 16 digits or more may be an id that float64 cannot hold; texts without one take the fast path. */
const longNumber = /[:,[\s]-?\d{16}/

/** TypeScript 7's library has no types yet for Node 24's JSON source text access. */
const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON: (text: string) => unknown
  isRawJSON: (value: unknown) => value is { readonly rawJSON: string }
}

/**
 * `JSON.parse`, but an integer beyond 2^53 keeps its digits when it is written again, and the tokens NaN, Infinity and -Infinity, which
 * Python's json writes by default, are null, as in float columns of Parquet. So is a number beyond float64, such as 1e400, once it is
 * written again.
 * @throws SyntaxError what JSON.parse says of the text as it stands
 */
export function parseJson(text: string): unknown {
  try {
    return parseStrict(text)
  } catch (error) {
    const repaired = withoutNonFinite(text)
    if (repaired === text) throw error
    try {
      return parseStrict(repaired)
    } catch {
      throw error
    }
  }
}

function parseStrict(text: string): unknown {
  if (!longNumber.test(text)) return JSON.parse(text)
  const keepDigits = (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source
      ? rawJSON(context.source)
      : value
  return JSON.parse(text, keepDigits)
}

/** The text with null for every token NaN, Infinity and -Infinity outside strings. */
export function withoutNonFinite(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text
  // Created here, because a search keeps state in the expression. No single expression for whole strings: a long one overflows its stack.
  const token = /"|NaN|-?Infinity/g
  const stringEnd = /["\\]/g
  let repaired = ''
  let copied = 0
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    if (found[0] === '"') {
      const end = endOfString(text, token.lastIndex, stringEnd)
      if (end === -1) break
      token.lastIndex = end
    } else {
      repaired += `${text.slice(copied, found.index)}null`
      copied = token.lastIndex
    }
  }
  return repaired + text.slice(copied)
}

/** The index after the quote that ends the string whose content begins at `from`; -1: there is none. */
function endOfString(text: string, from: number, stringEnd: RegExp): number {
  stringEnd.lastIndex = from
  for (let found = stringEnd.exec(text); found !== null; found = stringEnd.exec(text)) {
    if (found[0] === '"') return stringEnd.lastIndex
    stringEnd.lastIndex++
  }
  return -1
}

/** A string, number or boolean as text, integers with all their digits; undefined for anything else. */
export function textOfJson(value: unknown): string | undefined {
  if (isRawJSON(value)) return value.rawJSON
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined
}
