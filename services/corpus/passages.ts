import type { DocumentId } from '../../schemas/index.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { idOfRow } from './ids.ts'

/** Random documents of the corpus: always the same for the same corpus and seed. */
export async function drawDocuments(sql: Sql, seed: number, count: number): Promise<DocumentId[]> {
  const rows = await sql.query<{ doc: string }>(
    'SELECT doc FROM corpus FINAL WHERE isNotNull(at_document) ORDER BY cityHash64(doc, {seed:UInt64}), doc LIMIT {count:UInt64}',
    { seed, count },
  )
  return rows.map(({ doc }) => idOfRow(doc))
}

const charactersMax = 600
const charactersMin = 20

/** The middle of a text, in whole words; undefined if the text is too short. Never the whole text. */
export function passageOf(text: string): string | undefined {
  const from = Math.floor(text.length / 4)
  const part = text.slice(from, Math.min(from + charactersMax, Math.ceil((3 * text.length) / 4)))
  const words = part.split(/\s+/).slice(1, -1).join(' ')
  return words.length < charactersMin ? undefined : words
}
