import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asDocumentId, labelsTopic } from '../../../schemas/index.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { drawDocuments } from '../../../services/corpus/draw.ts'
import { countByLabels, countIncomplete, countLabelled } from '../../../services/corpus/label-counts.ts'
import { documentsInRanges, documentsOfIds, documentsWithWords } from '../../../services/corpus/search.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import type { Sql } from '../../../services/runtime/clickhouse/sql.ts'
import { compareIds, orderKey, type Seed } from '../../../topologies/selection/u64.ts'

/** Ids above 2^63, more of them than one request names. */
const documents = 600
const idOf = (n: number) => asDocumentId(2n ** 63n + BigInt(n) * 7n)
const ids = Array.from({ length: documents }, (_, n) => idOf(n))
const columns = ['quality', 'topic'].map((actor) => ({ actor, version: 'v1', topic: labelsTopic(actor).name }))
const versions = new Map(columns.map(({ actor, version }) => [actor, version]))

const folder = mkdtempSync(join(tmpdir(), 'winnow-questions-'))
let clickHouse: ClickHouse
let sql: Sql
beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${join(folder, 'clickhouse')}` })
  sql = clickHouse.sql
  await migrate(sql)
  const store = new ClickHouseStore(sql)
  const at = (n: number) => ({ partition: n % 2, offset: n })
  // Twice, as after a crash: questions see each document once.
  for (const _ of [0, 1])
    await store.addDocuments(
      ids.map((docId, n) => ({
        value: { docId, text: `the ${n}th Harbour`, meta: `{"n":${n}}`, tokens: n },
        ...at(n),
      })),
    )
  // Quality is n % 2 for all, topic n % 3 for all but every tenth.
  for (const [i, { actor, version }] of columns.entries())
    await store.addLabels(
      ids.flatMap((docId, n) =>
        i === 1 && n % 10 === 0
          ? []
          : [{ value: { docId, actor, subcategory: n % (i + 2), score: 1, tokens: n, version }, ...at(n) }],
      ),
    )
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

test('labelled documents are counted once each, however often they were inserted', async () => {
  expect(await countLabelled(sql, versions)).toEqual({ documents, complete: documents - documents / 10 })
  expect(await countLabelled(sql, new Map([['quality', 'v1']]))).toEqual({ documents, complete: documents })
})

test('of the ids asked about those count that are in the corpus and lack a label', async () => {
  expect(await countIncomplete(sql, versions, [...ids, asDocumentId(1n)])).toBe(60)
  expect(await countIncomplete(sql, versions, [idOf(1), idOf(10), idOf(20)])).toBe(2)
  expect(await countIncomplete(sql, versions, [])).toBe(0)
})

test('documents are counted by their labels, in the order of the columns, for more ids than one request names', async () => {
  const complete = ids.filter((_, n) => n % 10 !== 0)
  const counts = new Map<string, number>()
  for await (const { labels, documents: some } of countByLabels(sql, columns, complete))
    counts.set(labels.join(), (counts.get(labels.join()) ?? 0) + some)
  const expected = new Map<string, number>()
  for (const [n] of ids.entries())
    if (n % 10 !== 0) expected.set(`${n % 2},${n % 3}`, (expected.get(`${n % 2},${n % 3}`) ?? 0) + 1)
  expect([...counts].sort()).toEqual([...expected].sort())
})

test('a draw takes the first documents by orderKey of SELECTION.md, each once', async () => {
  const seed = 42n as Seed
  const expected = ids.toSorted((a, b) => (orderKey(a, seed) < orderKey(b, seed) ? -1 : 1)).slice(0, 20)
  expect(await drawDocuments(sql, seed, 20)).toEqual(expected)
  expect((await drawDocuments(sql, seed, 10_000)).length).toBe(documents)
})

test('documents are found by words of text or metadata in any case, with what stands around them', async () => {
  const found = await documentsWithWords(sql, '17TH harbour')
  expect(found.sort((a, b) => compareIds(a.docId, b.docId))).toEqual(
    [17, 117, 217, 317, 417, 517].map((n) => ({
      docId: idOf(n),
      tokens: n,
      meta: `{"n":${n}}`,
      snippet: `the ${n}th Harbour`,
    })),
  )
  expect((await documentsWithWords(sql, '"n":599')).map(({ docId }) => docId)).toEqual([idOf(599)])
  expect(await documentsWithWords(sql, `' OR 1 = 1 --`)).toEqual([])
})

test('documents are found by ranges of ids, ends included, and by ids in the order given', async () => {
  const ranges = [
    { first: idOf(3), last: idOf(5) },
    { first: idOf(598), last: 2n ** 64n - 1n },
  ]
  const found = (await documentsInRanges(sql, ranges)).map(({ docId }) => docId)
  expect(found.sort(compareIds)).toEqual([3, 4, 5, 598, 599].map(idOf))
  expect(await documentsInRanges(sql, [])).toEqual([])
  const named = await documentsOfIds(sql, [idOf(9), asDocumentId(1n), idOf(2)])
  expect(named.map(({ docId }) => docId)).toEqual([idOf(9), idOf(2)])
  expect((await documentsOfIds(sql, ids)).map(({ docId }) => docId)).toEqual(ids.slice(0, 30))
})
