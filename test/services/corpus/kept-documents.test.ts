import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asDocumentId, type Document } from '../../../schemas/index.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { keptDocuments } from '../../../services/corpus/kept-documents.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import type { At } from '../../../topologies/corpus-store.ts'
import { splitmix64 } from '../../../topologies/selection/u64.ts'

const documents = 900
const partitions = 2
/** In the order of their offsets, which is not that of their ids; every third offset is a transaction's marker. */
const stood: At<Document>[] = Array.from({ length: documents }, (_, n) => ({
  value: {
    docId: asDocumentId(splitmix64(BigInt(n))),
    text: `text ${n} \u2028 "quoted" \ud83d\ude00`,
    meta: `{"n":${n}}`,
    tokens: n === 7 ? 5_000_000 : n,
  },
  partition: n % partitions,
  offset: Math.floor(n / partitions) * 3,
}))
const inPartition = (wanted: number) => stood.filter(({ partition }) => partition === wanted)

const folder = mkdtempSync(join(tmpdir(), 'winnow-kept-'))
let clickHouse: ClickHouse
beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
  const store = new ClickHouseStore(clickHouse.sql)
  await store.addDocuments(stood)
  // Again, some of them from later records; and labels, of documents too that have not come yet.
  await store.addDocuments(stood.slice(0, 300))
  await store.addDocuments(stood.slice(0, 100).map((one) => ({ ...one, offset: one.offset + 100_000 })))
  const label = { actor: 'topic', version: 'v1', subcategory: 1, score: 1, tokens: 1 }
  await store.addLabels(
    [...stood, { value: { docId: asDocumentId(1n) }, partition: 0, offset: 5 }].map(({ value, partition, offset }) => ({
      value: { ...label, docId: value.docId },
      partition,
      offset,
    })),
  )
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

async function read(range: { partition: number; from: number; to: number }, perLook?: number) {
  const batches: At<Document>[][] = []
  for await (const batch of keptDocuments(clickHouse.sql, range, perLook)) batches.push(batch)
  return batches
}

test.each([undefined, 100, 700])(
  'are those of a range of offsets, once each, in order, as ingested; %j offsets a look',
  async (perLook) => {
    for (const partition of [0, 1]) {
      expect((await read({ partition, from: 0, to: 5000 }, perLook)).flat()).toEqual(inPartition(partition))
      const some = inPartition(partition).filter(({ offset }) => offset >= 31 && offset < 903)
      expect((await read({ partition, from: 31, to: 903 }, perLook)).flat()).toEqual(some)
    }
    expect(await read({ partition: 5, from: 0, to: 5000 }, perLook)).toEqual([])
  },
)

test('come in small batches, and a long text alone', async () => {
  const batches = await read({ partition: 1, from: 0, to: 5000 })
  expect(batches.every((batch) => batch.length <= 256)).toBe(true)
  expect(batches.filter((batch) => batch.some(({ value }) => value.tokens === 5_000_000))).toMatchObject([[{}]])
})
