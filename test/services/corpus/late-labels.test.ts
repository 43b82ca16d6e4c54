import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asDocumentId, type Label, topics } from '../../../schemas/index.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import type { At, CorpusStore } from '../../../topologies/corpus-store.ts'
import { MemoryStore } from '../../../topologies/memory-store.ts'
import { splitmix64 } from '../../../topologies/selection/u64.ts'

const documents = 2000
const column = { actor: 'topic', version: 'v1', topic: 'winnow.labels.topic' }
const idOf = (n: number) => asDocumentId(splitmix64(BigInt(n)))

/** The label of a document, and what other labels say that come later: a higher, a lower subcategory, another score, other tokens. */
const label = (n: number, offset: number, again = 0): At<Label> => ({
  value: {
    docId: idOf(n),
    actor: column.actor,
    version: column.version,
    subcategory: again === 0 ? 2 + (n % 3) : again % 2 === 0 ? 9 : 0,
    score: (n % 10) - again,
    tokens: 5 + again * 1000,
  },
  partition: 0,
  offset,
})

let folder: string
let clickHouse: ClickHouse
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-late-'))
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

/** All that is seen of the corpus, as of the first `offsetNext` records of each topic. */
async function seen(store: CorpusStore, offsetNext: number, draws: boolean) {
  const labelOffsets = [topics.documents.name, column.topic].map((topic) => ({ topic, partition: 0, offsetNext }))
  const corpus = await store.view({ columns: [column], labelOffsets, readsOf: null, scored: [0], draws })
  const groups = (await corpus.groups()).map(({ labels, documents: held, tokens }) => ({ labels, held, tokens }))
  return { groups: groups.sort((a, b) => a.labels[0]! - b.labels[0]!), scores: await corpus.scoreSums(0) }
}

test('of several labels of one version the first in the log counts, whatever those that come later say', async () => {
  const store = new ClickHouseStore(clickHouse.sql)
  const memory = new MemoryStore()
  const all = Array.from({ length: documents }, (_, n) => n)
  for (const one of [memory, store]) {
    // A second label in the same insert, and one before its document.
    await one.addLabels([...all.map((n) => label(n, n)), label(3, documents, 1)])
    await one.addDocuments(
      all.map((n) => ({ value: { docId: idOf(n), text: '', meta: '{}', tokens: 5 }, partition: 0, offset: n })),
    )
  }
  const expected = await seen(memory, documents, false)
  expect(expected.groups.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(documents * 5)
  // Of half of it the table for drawing is made before the others come, of all of it while they are there.
  const half = await seen(memory, documents / 2, false)
  expect(await seen(store, documents / 2, true)).toEqual(half)
  for (const again of [1, 2, 3]) {
    await store.addLabels(all.map((n) => label(n, documents * again + n + 1, again)))
    expect(await seen(store, documents, false)).toEqual(expected)
  }
  expect(await seen(store, documents, true)).toEqual(expected)
  expect(await seen(store, documents / 2, true)).toEqual(half)
  await clickHouse.sql.command('OPTIMIZE TABLE corpus FINAL')
  expect(await seen(store, documents, false)).toEqual(expected)
  expect(await seen(store, documents * 4, true)).toEqual(expected)
})
