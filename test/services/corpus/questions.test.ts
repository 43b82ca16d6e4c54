import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asDocumentId, labelsTopic } from '../../../schemas/index.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { drawDocuments } from '../../../services/corpus/draw.ts'
import { countByLabels, countIncomplete, countLabelled } from '../../../services/corpus/label-counts.ts'
import {
  type DocumentFilter,
  documentsOfIds,
  documentsOfTexts,
  findDocuments,
} from '../../../services/corpus/search.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import type { Sql } from '../../../services/runtime/clickhouse/sql.ts'
import { orderKey, type Seed } from '../../../topologies/selection/u64.ts'

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

test('documents that are one of some texts are found by all of their text', async () => {
  const long = Array.from({ length: 500 }, (_, n) => `${n} ${'x'.repeat(10_000)}`)
  const asked = ['the 3th Harbour', 'the 3th harbour', 'the 3th Harbour ', 'the 299th Harbour', ...long]
  expect(await documentsOfTexts(sql, asked)).toMatchObject({
    documents: [
      { docId: idOf(3), text: 'the 3th Harbour' },
      { docId: idOf(299), text: 'the 299th Harbour' },
    ],
    complete: true,
  })
  expect(await documentsOfTexts(sql, [])).toMatchObject({ documents: [], complete: true })
})

test('of the given ids, those in the corpus that lack a label are counted', async () => {
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

const anywhere = (...texts: string[]) => texts.map((text) => ({ text, ranges: [] }))
const found = async (filter: DocumentFilter, page = {}) => {
  const { documents: some, ...more } = await findDocuments(sql, filter, { count: 30, ...page })
  return { ...more, ids: some.map(({ docId }) => docId) }
}

test('a search ended by its time limit says that there may be more', async () => {
  const times = [0, 60_000]
  const page = await findDocuments(sql, { terms: anywhere('harbour') }, { count: 3, clock: () => times.shift()! })
  expect(page).toMatchObject({ complete: false, documents: [{}, {}, {}] })
  expect(await findDocuments(sql, { terms: anywhere('harbour') }, { count: 3 })).toMatchObject({ complete: true })
})

test('documents are found by words of text or metadata, ignoring case, with their context', async () => {
  const { total, documents: some } = await findDocuments(sql, { terms: anywhere('17TH harbour') }, { count: 30 })
  expect(some).toEqual(
    [17, 117, 217, 317, 417, 517].map((n) => ({
      docId: idOf(n),
      tokens: n,
      meta: `{"n":${n}}`,
      snippet: `the ${n}th Harbour`,
    })),
  )
  expect(total).toBe(6)
  expect((await found({ terms: anywhere('"n":599') })).ids).toEqual([idOf(599)])
  expect(await found({ terms: anywhere(`' OR 1 = 1 --`) })).toEqual({ total: 0, complete: true, ids: [] })
})

test('every word must occur, in any order, in text, metadata or source name', async () => {
  const inOrder = await found({ terms: anywhere('harbour', '17th') })
  expect(inOrder.ids).toEqual([17, 117, 217, 317, 417, 517].map(idOf))
  expect((await found({ terms: anywhere('harbour', 'whale') })).total).toBe(0)
  const ofSource = { text: 'not in any text', ranges: [{ first: idOf(10), last: idOf(20) }] }
  expect((await found({ terms: [...anywhere('7th'), ofSource] })).ids).toEqual([idOf(17)])
})

test('results are paged in the order of ids, with their total', async () => {
  const filter = { terms: anywhere('th Harbour') }
  const pages = await Promise.all([0, 250, 500].map((offset) => found(filter, { offset, count: 250 })))
  expect(pages.map(({ total }) => total)).toEqual([documents, documents, documents])
  expect(pages.flatMap((page) => page.ids)).toEqual(ids)
  expect((await found({}, { offset: 598 })).ids).toEqual([598, 599].map(idOf))
})

test('documents are filtered by labels, by ids, and by both', async () => {
  const [quality, topic] = columns
  const odd = { column: quality!, subcategory: 1 }
  // Every tenth has no topic.
  expect((await found({ labels: [{ column: topic!, subcategory: 0 }] })).total).toBe(180)
  const both = await found({ labels: [odd, { column: topic!, subcategory: 2 }], terms: anywhere('11th') })
  expect(both.ids).toEqual([11, 311, 411].filter((n) => n % 2 === 1 && n % 3 === 2).map(idOf))
  const few = [4, 7, 9, 30].map(idOf)
  expect((await found({ ids: few })).ids).toEqual(few)
  expect((await found({ ids: few, labels: [odd] })).ids).toEqual([7, 9].map(idOf))
  expect((await found({ ids: [], labels: [odd] })).total).toBe(0)
  expect((await found({ ids: ids.slice(0, 500), labels: [odd] })).total).toBe(250)
})

test('documents are found by inclusive ranges of ids, and by ids in the order given', async () => {
  const within = [
    { first: idOf(3), last: idOf(5) },
    { first: idOf(598), last: 2n ** 64n - 1n },
  ]
  expect((await found({ within })).ids).toEqual([3, 4, 5, 598, 599].map(idOf))
  expect((await found({ within: [] })).total).toBe(0)
  const named = await documentsOfIds(sql, [idOf(9), asDocumentId(1n), idOf(2)])
  expect(named.map(({ docId }) => docId)).toEqual([idOf(9), idOf(2)])
  const reversed = ids.toReversed()
  expect((await documentsOfIds(sql, reversed)).map(({ docId }) => docId)).toEqual(reversed)
})
