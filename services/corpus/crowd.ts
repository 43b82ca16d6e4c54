import { type DocumentId, type TopicOffset, topics } from '../../schemas/index.ts'
import type { CorpusStore, DuplicateLimit, LabelColumn } from '../../topologies/corpus-store.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { isBefore } from './excluded-sql.ts'
import { idOfRow } from './ids.ts'

/** Documents of a crowd that are looked at. */
const lookedAtMax = 10_000
/** And those that are named. */
const namedMax = 5

interface Seen {
  readonly columns: readonly LabelColumn[]
  readonly labelOffsets: readonly TopicOffset[]
}

/**
 * For a document that takes part but for its near duplicates: those of its fullest crowd that do and have smaller ids, up to five, the smallest first. None:
 * it has no sketch. Undefined: it takes part.
 */
export async function crowdedBy(
  { store, sql }: { store: Pick<CorpusStore, 'view'>; sql: Sql },
  docId: DocumentId,
  limit: DuplicateLimit,
  seen: Seen,
): Promise<DocumentId[] | undefined> {
  const view = { ...seen, readsOf: null, draws: false }
  const isIn = (await (await store.view({ ...view, duplicates: limit })).describe([docId])).has(docId)
  if (isIn) return undefined
  const sketched = `version = {version:String} AND ${isBefore(seen.labelOffsets, topics.sketches.name)}`
  const keys = `SELECT arrayJoin(keys) FROM sketches WHERE ${sketched} AND doc = {doc:UInt64}`
  const rows = await sql.query<{ key: string; doc: string }>(
    `SELECT DISTINCT key, doc FROM sketch_keys WHERE ${sketched} AND key IN (${keys}) AND doc < {doc:UInt64} ORDER BY doc LIMIT ${lookedAtMax}`,
    { version: limit.version, doc: docId },
  )
  const ids = [...new Set(rows.map(({ doc }) => idOfRow(doc)))]
  // Without the limit: who is a duplicate too many himself is still one of the crowd.
  const there = await (await store.view(view)).describe(ids)
  const crowds = Map.groupBy(
    rows.filter(({ doc }) => there.has(idOfRow(doc))),
    ({ key }) => key,
  )
  const fullest = [...crowds.values()].sort((a, b) => b.length - a.length)[0] ?? []
  return fullest.map(({ doc }) => idOfRow(doc)).slice(0, namedMax)
}
