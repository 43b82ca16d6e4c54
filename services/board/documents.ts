import type { DocumentId } from '../../schemas/index.ts'
import type { LabelColumn } from '../../topologies/corpus-store.ts'
import { parseId } from '../../topologies/selection/u64.ts'
import type { Runtime } from '../connections/connections.ts'
import {
  charactersShown,
  type DocumentFilter,
  documentsOfIds,
  type FoundPage,
  type FoundText,
  findDocuments,
  type IdRange,
} from '../corpus/search.ts'
import { snippetOf } from '../corpus/snippet.ts'
import { idsOf, placeOf } from '../ingest/document-id.ts'
import { isSealed } from '../texts/envelope.ts'
import { erasedText } from '../texts/texts.ts'
import type { SourceView } from './shape.ts'
import { termsOf } from './terms.ts'

/** Of the source files whose name matches, the first few are searched. */
const sourcesMax = 30

export interface FoundDocument {
  readonly doc: string
  /** The source file and the row in it, from 0: both are encoded in the id. */
  readonly source: string | null
  readonly row: number
  readonly tokens: number
  readonly meta: string
  readonly snippet: string
}

export interface FoundDocuments {
  /** The number on all pages. */
  readonly total: number
  /** false: the search was stopped after some seconds, and there may be more. */
  readonly complete: boolean
  readonly offset: number
  readonly documents: readonly FoundDocument[]
}

export interface DocumentQuestion {
  /** Words, all of which a document must have; quoted words must be adjacent. */
  readonly words: string
  /** Where: anywhere, in text and metadata, or in the name of the source file. */
  readonly by: 'any' | 'text' | 'source'
  readonly labels?: readonly { readonly column: Pick<LabelColumn, 'actor' | 'version'>; readonly subcategory: number }[]
  /** Only these. */
  readonly ids?: readonly DocumentId[]
  readonly offset: number
  readonly count: number
}

type Searched = Pick<Runtime, 'clickHouse' | 'store' | 'texts'>

/** Finds documents of the corpus and names the source files they came from. */
export class DocumentSearch {
  readonly #runtime: Searched
  readonly #sources: () => readonly SourceView[]

  constructor(runtime: Searched, sources: () => readonly SourceView[]) {
    this.#runtime = runtime
    this.#sources = sources
  }

  /** A page of documents, ordered by id. If the words are the id of a document, only that is found, unless only texts or sources are searched. */
  async find({ words, by, labels = [], ids, offset, count }: DocumentQuestion): Promise<FoundDocuments> {
    const id = by === 'any' ? parseId(words.trim()) : null
    const named = id === null ? [] : await this.byId([id])
    if (named.length > 0) return { total: 1, complete: true, offset: 0, documents: named }
    const terms = termsOf(words)
    const { clickHouse, texts } = this.#runtime
    const filter: DocumentFilter = {
      sealed: texts.masterKeys !== undefined,
      labels,
      ...(ids !== undefined && { ids }),
      ...(by === 'source'
        ? { within: this.#rangesOf(terms) }
        : { terms: terms.map((text) => ({ text, ranges: by === 'any' ? this.#rangesOf([text]) : [] })) }),
    }
    const { documents, ...found }: FoundPage = await findDocuments(clickHouse.sql, filter, { offset, count })
    return { ...found, offset, documents: this.#placed(await this.#shown(documents)) }
  }

  /** Documents by id, in the order given; ids that the corpus does not have are left out. */
  async byId(ids: readonly DocumentId[]): Promise<FoundDocument[]> {
    return this.#placed(await this.#shown(await documentsOfIds(this.#runtime.clickHouse.sql, ids)))
  }

  /** Ids of documents from source files whose names contain all of these. */
  #rangesOf(terms: readonly string[]): IdRange[] {
    const wanted = terms.map((term) => term.toLowerCase())
    return this.#sources()
      .filter(({ name }) => wanted.every((term) => name.toLowerCase().includes(term)))
      .slice(0, sourcesMax)
      .map(({ source }) => idsOf(source))
  }

  /** Of encrypted texts their beginnings, as who looks may read them. */
  async #shown(found: readonly FoundText[]): Promise<readonly FoundText[]> {
    const { store, texts } = this.#runtime
    if (texts.masterKeys === undefined) return found
    const stored = await store.texts(found.map(({ docId }) => docId))
    const sealed = [...stored].flatMap(([docId, text]) => (isSealed(text) ? [{ docId, text }] : []))
    const read = await texts.read(sealed)
    const textOf = new Map(sealed.map(({ docId }, i) => [docId, read[i] ?? erasedText]))
    return found.map((one) => {
      const text = textOf.get(one.docId)
      if (text === undefined) return one
      const excerpt = { text: text.slice(0, charactersShown), before: false, after: text.length > charactersShown }
      return { ...one, snippet: snippetOf(excerpt) }
    })
  }

  #placed(found: readonly FoundText[]): FoundDocument[] {
    const names = new Map(this.#sources().map(({ source, name }) => [source, name]))
    return found.map(({ docId, ...shown }) => {
      const { source, row } = placeOf(docId)
      return { doc: `${docId}`, source: names.get(source) ?? null, row, ...shown }
    })
  }
}
