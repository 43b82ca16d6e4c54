import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asDocumentId, topics } from '../../../../schemas/index.ts'
import { ClickHouseStore } from '../../../../services/corpus/clickhouse-store.ts'
import { SortedCorpus } from '../../../../services/corpus/sorted/sorted-corpus.ts'
import { SortedStates } from '../../../../services/corpus/sorted/states.ts'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../../services/runtime/clickhouse/migrate.ts'
import { seedOf, splitmix64 } from '../../../../topologies/selection/u64.ts'

const column = { actor: 'topic', version: 'v1', topic: 'winnow.labels.topic' }
const documents = 4000
const rare = 20
/** The last subcategory has a few documents only: its sample reaches furthest. */
const labelOf = (n: number) => (n < rare ? 5 : n % 3)
const options = {
  columns: [column],
  labelOffsets: [topics.documents.name, column.topic].map((topic) => ({ topic, partition: 0, offsetNext: documents })),
}

const folder = mkdtempSync(join(tmpdir(), 'winnow-sorted-'))
let clickHouse: ClickHouse
let store: ClickHouseStore
beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
  store = new ClickHouseStore(clickHouse.sql)
  const ids = Array.from({ length: documents }, (_, n) => asDocumentId(splitmix64(BigInt(n))))
  const at = (n: number) => ({ partition: 0, offset: n })
  await store.addDocuments(ids.map((docId, n) => ({ value: { docId, text: '', meta: '{}', tokens: 1 }, ...at(n) })))
  const { actor, version } = column
  const label = (n: number) => ({ actor, version, subcategory: labelOf(n), score: 0.5, tokens: 1 })
  await store.addLabels(ids.map((docId, n) => ({ value: { docId, ...label(n) }, ...at(n) })))
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

test('samples are the same by stretches of the table as by reading all of it', async () => {
  const state = await new SortedStates(clickHouse.sql).make(options)
  const wide = await store.view({ ...options, readsOf: null })
  for (const count of [1, 7, 300])
    for (const seed of [1, 2, 3].map((n) => seedOf(n, 1, 'sample:topic'))) {
      const expected = await wide.samples(0, seed, count)
      for (const scannedMax of [0, 100, 10_000])
        expect(await new SortedCorpus(clickHouse.sql, state, wide, scannedMax).samples(0, seed, count)).toEqual(
          expected,
        )
      expect(expected.get(5)).toHaveLength(Math.min(count, rare))
    }
})
