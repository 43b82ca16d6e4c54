import type { DocumentId, TopicOffset } from '../../schemas/index.ts'
import type { LabelColumn } from '../../topologies/corpus-store.ts'
import { readsOfSelection } from '../../topologies/selection/read-selection.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { columnNames } from './columns.ts'
import { ReadSelections } from './sorted/read-selections.ts'

export interface StoredDocument {
  readonly docId: DocumentId
  readonly text: string
  readonly meta: string
  readonly tokens: number
  readonly partition: number
  readonly documentOffset: number | null
  /** In the order of the columns asked for; null: not labelled yet. */
  readonly labels: readonly { subcategory: number; score: number; offset: number }[] | null
}

/** A document with its labels; undefined if the corpus does not have the id. */
export async function readDocument(
  sql: Sql,
  docId: DocumentId,
  columns: readonly LabelColumn[],
): Promise<StoredDocument | undefined> {
  const names = columns.map(columnNames)
  const [row] = await sql.query<Record<string, string | number | null>>(
    `SELECT part, at_document, ${names.map(({ label, score, at }) => `${label}, ${score}, ${at}`).join(', ')} FROM corpus FINAL WHERE doc = {doc:UInt64}`,
    { doc: docId },
  )
  const [stored] = await sql.query<{ text: string; meta: string; tokens: string }>(
    'SELECT text, meta, tokens FROM documents WHERE doc = {doc:UInt64} LIMIT 1',
    { doc: docId },
  )
  if (row === undefined || stored === undefined) return undefined
  const labelled = names.every(({ label }) => row[label] !== null)
  return {
    docId,
    text: stored.text,
    meta: stored.meta,
    tokens: Number(stored.tokens),
    partition: Number(row.part),
    documentOffset: row.at_document === null ? null : Number(row.at_document),
    labels: labelled
      ? names.map(({ label, score, at }) => ({
          subcategory: Number(row[label]),
          score: Number(row[score]),
          offset: Number(row[at]),
        }))
      : null,
  }
}

/** How often a run's trainer had read a document when a round opened, of a run whose reads are recorded by documents. */
export async function readsBefore(sql: Sql, run: string, docId: DocumentId, round: number): Promise<number> {
  const [row] = await sql.query<{ reads: string }>(
    'SELECT sum(times) AS reads FROM reads FINAL WHERE run = {run:String} AND doc = {doc:UInt64} AND round < {round:UInt32}',
    { run, doc: docId, round },
  )
  return Number(row?.reads ?? 0)
}

/** The same of a run whose reads are recorded as conditions. @param tookPart whether the document took part as of label offsets */
export async function readsByConditions(
  sql: Sql,
  run: string,
  rounds: readonly number[],
  { docId, labels }: Pick<StoredDocument, 'docId'> & { labels: readonly number[] },
  tookPart: (labelOffsets: readonly TopicOffset[]) => boolean,
): Promise<number> {
  let reads = 0
  for (const { read } of await new ReadSelections(sql).of(run, rounds))
    if (tookPart(read.labelOffsets)) reads += readsOfSelection(read)(docId, labels, reads)
  return reads
}
