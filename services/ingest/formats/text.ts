import { type Foreign, foreign, type Head } from './format.ts'

const encodings: readonly (readonly [string, readonly number[]])[] = [
  ['UTF-32', [0xff, 0xfe, 0x00, 0x00]],
  ['UTF-32', [0x00, 0x00, 0xfe, 0xff]],
  ['UTF-16', [0xff, 0xfe]],
  ['UTF-16', [0xfe, 0xff]],
  // Without a byte order mark: a brace, and zeros that reveal the width and byte order.
  ['UTF-32LE', [0x7b, 0, 0, 0]],
  ['UTF-32BE', [0, 0, 0, 0x7b]],
  ['UTF-16LE', [0x7b, 0]],
  ['UTF-16BE', [0, 0x7b]],
]

/** Text that cannot be JSON lines, judged by its beginning; null where it may be, however bad its rows are. */
export function foreignText(head: Buffer): Foreign | null {
  for (const [name, mark] of encodings) {
    if (!head.subarray(0, mark.length).equals(Buffer.from(mark))) continue
    return foreign(`text in ${name}, not in UTF-8`, { filter: `iconv -f ${name} -t UTF-8` })
  }
  const text = head.toString('latin1').replace(/^\xef\xbb\xbf/, '')
  const begins = text.slice(0, 4096).trimStart()
  if (/^<(!doctype|!--|\?xml|[a-z][\w:-]*[\s/>])/i.test(begins)) {
    return foreign('an HTML or XML page, as servers send in place of a file', {
      sentence: 'download the file again, and check whether it needs a login',
    })
  }
  if (isArray(text)) {
    return { ...foreign('a JSON array, not JSON lines', { filter: "jq -c '.[]'" }), jsonDocument: true }
  }
  if (/^\s*\{[ \t\r]*\n\s*(\n\s*)*["}]/.test(text)) {
    return { ...foreign('JSON over several lines, not JSON lines', { filter: 'jq -c .' }), jsonDocument: true }
  }
  return null
}

/** Begins with a bracket. A single row that is an array occurs in many files of rows, and is rejected as a row. */
function isArray(text: string): boolean {
  if (!/^\s*\[/.test(text)) return false
  const [first = '', second = ''] = text.trimStart().split(/\n\s*/, 2)
  return !(isJson(first) && second.startsWith('{'))
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Control characters that no text has, and no beginning of a row anywhere: damage within rows is no reason to refuse a whole file. */
export function unknownBinary(head: Buffer): Foreign | null {
  if (/(^|\n)[ \t\r]*\{[ \t\r]*["}]/.test(head.toString('latin1'))) return null
  if (!head.some((byte) => byte < 0x09 || (byte > 0x0d && byte < 0x20 && byte !== escapeByte))) return null
  return foreign('binary data that winnow does not know', {
    sentence: 'convert it to JSON lines or Parquet first; if it is encrypted, decrypt it first',
  })
}

/** Terminal colours begin with it, in logs that were taken for rows. */
const escapeByte = 0x1b

/**
 * Whether this is a whole file, and one JSON object without a text: a description (`dataset_infos.json`), not rows.
 * @param isRow whether the object is a row of the corpus
 */
export function isDescription({ head, whole }: Head, isRow: (line: Buffer) => boolean): boolean {
  if (!whole) return false
  const text = head.toString('utf8').trim()
  return text.startsWith('{') && !text.includes('\n') && isJson(text) && !isRow(Buffer.from(text))
}
