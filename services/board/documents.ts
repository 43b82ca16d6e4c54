import type { DocumentId } from '../../schemas/index.ts'
import { documentsInRanges, documentsOfIds, documentsWithWords, type FoundText } from '../corpus/search.ts'
import { idsOf, placeOf } from '../ingest/document-id.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import type { SourceView } from './shape.ts'

/** Of the source files that a name fits, the first few are looked into. */
const sourcesMax = 30

export interface FoundDocument {
  readonly doc: string
  /** The source file and the row in it, from 0: they are in the id. */
  readonly source: string | null
  readonly row: number
  readonly tokens: number
  readonly meta: string
  readonly snippet: string
}

/** Finds documents of the corpus, the first few, and names the source files they came from. */
export class DocumentSearch {
  readonly #sql: Sql
  readonly #sources: () => readonly SourceView[]

  constructor(sql: Sql, sources: () => readonly SourceView[]) {
    this.#sql = sql
    this.#sources = sources
  }

  /** Documents that have the words in their text or in their row's metadata, in any case. */
  async byText(words: string): Promise<FoundDocument[]> {
    return this.#placed(await documentsWithWords(this.#sql, words))
  }

  /** The first documents of the source files whose name has the words. */
  async bySource(words: string): Promise<FoundDocument[]> {
    const wanted = words.toLowerCase()
    const numbers = this.#sources()
      .filter(({ name }) => name.toLowerCase().includes(wanted))
      .map(({ source }) => source)
    const ranges = numbers.slice(0, sourcesMax).map(idsOf)
    return this.#placed(await documentsInRanges(this.#sql, ranges))
  }

  /** Documents by id, in the order given; ids that the corpus does not have are left out. */
  async byId(ids: readonly DocumentId[]): Promise<FoundDocument[]> {
    return this.#placed(await documentsOfIds(this.#sql, ids))
  }

  #placed(found: readonly FoundText[]): FoundDocument[] {
    const names = new Map(this.#sources().map(({ source, name }) => [source, name]))
    return found.map(({ docId, ...shown }) => {
      const { source, row } = placeOf(docId)
      return { doc: `${docId}`, source: names.get(source) ?? null, row, ...shown }
    })
  }
}
