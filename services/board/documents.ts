import { documentId, placeOf, rowMax } from '../ingest/document-id.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import type { SourceView } from './shape.ts'

const foundMax = 30
/** Of the source files that a name fits, the first so many are looked into. */
const sourcesMax = 30
const charactersShown = 220
/** A search through a large corpus shows what it has found by then: the board must not keep the database busy. */
const searchSecondsMax = 5

export interface FoundDocument {
  readonly doc: string
  /** The source file and the row in it, from 0: they are in the id. */
  readonly source: string | null
  readonly row: number
  readonly tokens: number
  readonly meta: string
  readonly snippet: string
}

type Row = { doc: string; tokens: string; meta: string; snippet: string }

/** Finds documents of the corpus; the first so many. */
export class DocumentSearch {
  readonly #sql: Sql
  readonly #sources: () => readonly SourceView[]

  constructor(sql: Sql, sources: () => readonly SourceView[]) {
    this.#sql = sql
    this.#sources = sources
  }

  /** Documents that have the words in their text or in their row's metadata, in any case. */
  async byText(words: string): Promise<FoundDocument[]> {
    const snippet = `substringUTF8(text, greatest(1, toInt64(positionCaseInsensitiveUTF8(text, {words:String})) - 60), ${charactersShown})`
    const where =
      'positionCaseInsensitiveUTF8(text, {words:String}) > 0 OR positionCaseInsensitiveUTF8(meta, {words:String}) > 0'
    return await this.#find(snippet, where, { words })
  }

  /** The first documents of the source files whose name has the words. */
  async bySource(words: string): Promise<FoundDocument[]> {
    const wanted = words.toLowerCase()
    const numbers = this.#sources()
      .filter(({ name }) => name.toLowerCase().includes(wanted))
      .map(({ source }) => source)
    if (numbers.length === 0) return []
    // Ranges of ids: the table is in their order, so nothing else of it is read.
    const ranges = numbers.slice(0, sourcesMax).map((source) => {
      return `doc BETWEEN ${documentId(source, 0)} AND ${documentId(source, rowMax)}`
    })
    return await this.#find(`leftUTF8(text, ${charactersShown})`, `(${ranges.join(' OR ')})`, {})
  }

  /** Documents by id, in the order given; ids that the corpus does not have are left out. */
  async byId(ids: readonly bigint[]): Promise<FoundDocument[]> {
    if (ids.length === 0) return []
    const wanted = ids.slice(0, foundMax)
    const found = await this.#find(`leftUTF8(text, ${charactersShown})`, 'doc IN {ids:Array(UInt64)}', { ids: wanted })
    const order = new Map(wanted.map((id, i) => [`${id}`, i]))
    return found.sort((a, b) => order.get(a.doc)! - order.get(b.doc)!)
  }

  async #find(
    snippet: string,
    where: string,
    parameters: Record<string, string | readonly (bigint | number)[]>,
  ): Promise<FoundDocument[]> {
    const rows = await this.#sql.query<Row>(
      `SELECT doc, tokens, meta, ${snippet} AS snippet FROM documents
       WHERE ${where} LIMIT 1 BY doc LIMIT ${foundMax}
       SETTINGS max_execution_time = ${searchSecondsMax}, timeout_overflow_mode = 'break'`,
      parameters,
    )
    const names = new Map(this.#sources().map(({ source, name }) => [source, name]))
    return rows.map((one) => {
      const { source, row } = placeOf(BigInt(one.doc))
      return { ...one, tokens: Number(one.tokens), source: names.get(source) ?? null, row }
    })
  }
}
