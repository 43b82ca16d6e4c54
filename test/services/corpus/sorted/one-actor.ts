import { asDocumentId, topics } from '../../../../schemas/index.ts'
import { ClickHouseStore } from '../../../../services/corpus/clickhouse-store.ts'
import type { Sql } from '../../../../services/runtime/clickhouse/sql.ts'
import { splitmix64 } from '../../../../topologies/selection/u64.ts'

/** The labels of the one actor of a corpus: document n is of its subcategory n % 4, and stands at offset n. */
export const column = { actor: 'topic', version: 'v1', topic: 'winnow.labels.topic' }
const idOf = (n: number) => asDocumentId(splitmix64(BigInt(n)))
export const tokensOf = (n: number): number => 1 + (n % 3)

/** The corpus as of its first `n` documents, for a draw. */
export const asOf = (n: number) => ({
  columns: [column],
  labelOffsets: [topics.documents.name, column.topic].map((topic) => ({ topic, partition: 0, offsetNext: n })),
  readsOf: null,
  draws: true,
})

/** Adds documents from the `first`-th on, and their labels. */
export async function addDocuments(sql: Sql, first: number, count: number): Promise<void> {
  const store = new ClickHouseStore(sql)
  const all = Array.from({ length: count }, (_, n) => first + n)
  const at = (n: number) => ({ partition: 0, offset: n })
  await store.addDocuments(
    all.map((n) => ({ value: { docId: idOf(n), text: '', meta: '{}', tokens: tokensOf(n) }, ...at(n) })),
  )
  const { actor, version } = column
  const label = (n: number) => ({ docId: idOf(n), actor, version, subcategory: n % 4, score: 0.5, tokens: tokensOf(n) })
  await store.addLabels(all.map((n) => ({ value: label(n), ...at(n) })))
}
