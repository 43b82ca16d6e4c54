import { parseJson } from '../../schemas/index.ts'
import type { Line } from '../ingest/lines.ts'
import { parseRow, type Rejection } from '../ingest/row.ts'
import type { LabelInput } from './types.ts'

/** What a labeler sees of a row of a file: the same as of the document that ingest makes of it, or why ingest would reject it. */
export function inputOfLine(line: Line, textField?: string): LabelInput | Rejection {
  const row = parseRow(line, textField)
  return 'reason' in row ? row : { text: row.text, meta: parseJson(row.meta) }
}
