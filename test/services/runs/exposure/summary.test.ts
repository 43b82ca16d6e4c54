import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  asDocumentId,
  type Document,
  type DocumentId,
  type Manifest,
  type Progress,
} from '../../../../schemas/index.ts'
import { ClickHouseStore } from '../../../../services/corpus/clickhouse-store.ts'
import { usualPaths } from '../../../../services/corpus/exposed-meta.ts'
import { summaryOf } from '../../../../services/runs/exposure/summary.ts'
import { summaryCroissant, summaryDocument } from '../../../../services/runs/exposure/summary-formats.ts'
import { summarySpdx } from '../../../../services/runs/exposure/summary-spdx.ts'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../../services/runtime/clickhouse/migrate.ts'
import type { At } from '../../../../topologies/corpus-store.ts'
import { parityRun } from '../../../support/memory-runtime.ts'

/** The published schema of SPDX 3.0.1 (https://spdx.org/schema/3.0.1/spdx-json-schema.json), which is not ours to keep here; left out: not validated by it. */
const schemaOfSpdx = process.env.WINNOW_TEST_SPDX_SCHEMA

const documents = 40
const run = parityRun('sums')
const version = run.labelers.parity!
/** Rows as public corpora have them, at the top or under meta, some with nothing. */
const metaOf = (n: number): object =>
  [
    {
      url: `https://www.site${n % 3}.example/p/${n}`,
      license: 'cc-by-4.0',
      language: 'en',
      date: `20${10 + (n % 5)}-03-0${1 + (n % 9)}`,
    },
    { meta: { url: `http://site${n % 2}.example/`, language: 'de', timestamp: `2021-11-2${n % 10}T00:00:00Z` } },
    { meta: { redpajama_set_name: 'C4' } },
    { license: '', date: 'unknown', rights: { holder: "it's \\ quoted" } },
  ][n % 4]!
const id = (n: number): DocumentId => asDocumentId((BigInt(n % 2) << 40n) + BigInt(n))
const stood: At<Document>[] = Array.from({ length: documents }, (_, n) => ({
  value: { docId: id(n), text: `text ${n}`, meta: JSON.stringify(metaOf(n)), tokens: n % 7 },
  ...{ partition: 0, offset: n },
}))
const selections = [[3, 9, 12, 17, 20, 5, 31].map(id), Array.from({ length: 25 }, (_, i) => id((i * 3) % documents))]
const perStep = 6
/** Round 0 is read twice and two documents further, round 1 in part; as the reference trainer packs documents and counts them. */
const training = trained([
  { round: 0, documents: 7 * 2 + 2, steps: 0 },
  { round: 1, documents: 11, steps: 0 },
])

function trained(reads: { round: number; documents: number; steps: number }[]) {
  let step = 0
  const adopted = []
  const progress: Progress[] = []
  let before: { round: number; position: number } | undefined
  for (const { round, documents } of reads) {
    const ids = selections[round]!
    const length = (n: number) => Number(ids[n % ids.length]! & 0xffffffffffn) % 7
    let tokens = 0
    for (let i = 0; i < documents; i++) tokens += length(i) + 1
    const steps = Math.floor((tokens - 1) / perStep)
    // What the last step did not reach does not count as read.
    let read = 0
    for (let sum = 0; sum < steps * perStep + 1; read++) sum += length(read) + 1
    adopted.push({
      ...{ run: run.name, round, step, sequenceFirst: 0 },
      ...{ previousRound: before?.round ?? null, previousRead: before?.position ?? null },
    })
    step += steps
    before = { round, position: read }
    const checkpoint = { path: `step-${step}`, digest: 'd'.repeat(64), step }
    progress.push({
      ...{ run: run.name, step, tokens: step * perStep, round, position: read },
      ...{ trainLoss: null, referenceLoss: null, corpusLoss: null, checkpoint },
    })
  }
  const manifests = selections.map((ids, round) => ({ run: run.name, round, documents: ids.length }) as Manifest)
  return { opened: [], adopted, progress, manifests }
}

const folder = mkdtempSync(join(tmpdir(), 'winnow-summary-'))
let clickHouse: ClickHouse
beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
  const store = new ClickHouseStore(clickHouse.sql)
  await store.addDocuments(stood)
  await store.addDocuments(stood.slice(0, 9))
  await store.addLabels(
    stood.map(({ value: { docId, tokens }, partition, offset }) => ({
      value: { docId, actor: 'parity', version, subcategory: Number(docId % 2n), score: 1, tokens },
      ...{ partition, offset },
    })),
  )
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

const inputs = () => ({
  runtime: { clickHouse } as never,
  ...{ run, training, sources: new Map([[0, 'even.jsonl']]) },
  selections: {
    async *selection(manifest: Manifest, index: number) {
      yield selections[manifest.round]!.slice(index)
    },
  },
})

/** Every token that was trained on, by the document that it is of, read off one by one. */
function tokensByDocument(): Map<number, number> {
  const tokens = new Map<number, number>()
  for (const [r, { step }] of training.progress.entries()) {
    const steps = step - (training.progress[r - 1]?.step ?? 0)
    const stream: number[] = []
    for (let i = 0; stream.length < steps * perStep + 1; i++) {
      const n = Number(selections[r]![i % selections[r]!.length]! & 0xffffffffffn)
      stream.push(...Array<number>((n % 7) + 1).fill(n))
    }
    for (const n of stream.slice(1, steps * perStep + 1)) tokens.set(n, (tokens.get(n) ?? 0) + 1)
  }
  return tokens
}

test('sums by licence, language, web domain, date, actor and source each add up to the tokens that were trained on, token by token', async () => {
  const report = training.progress.at(-1)!
  const found = await summaryOf(inputs(), { ...report, checkpoint: report.checkpoint! }, usualPaths)
  const tokens = tokensByDocument()
  const by = (value: (n: number, meta: Record<string, never>) => string) => {
    const sums = new Map<string, number>()
    for (const [n, count] of tokens) {
      const name = value(n, metaOf(n) as never)
      sums.set(name, (sums.get(name) ?? 0) + count)
    }
    return sums
  }
  const said = ({ said, notKnown }: typeof found.licences) =>
    new Map([...said.map(({ value, tokens }) => [value, tokens] as const), ['', notKnown.tokens]])
  const meta = (n: number) =>
    metaOf(n) as { url?: string; license?: string; language?: string; date?: string; meta?: Record<string, string> }
  expect(found.addsUp).toBe(true)
  expect(found.tokens).toBe(report.tokens)
  expect(said(found.licences)).toEqual(by((n) => meta(n).license ?? ''))
  expect(said(found.languages)).toEqual(by((n) => meta(n).language ?? meta(n).meta?.language ?? ''))
  const host = (url: string | undefined) => (url === undefined ? '' : new URL(url).host.replace(/^www\./, ''))
  expect(said(found.webDomains)).toEqual(by((n) => host(meta(n).url ?? meta(n).meta?.url)))
  const date = (n: number) => /^\d{4}.*/.exec(meta(n).date ?? meta(n).meta?.timestamp ?? '')?.[0] ?? ''
  expect(said(found.years)).toEqual(by((n) => date(n).slice(0, 4)))
  // Also of a document of which the first token, no target, was all that was read.
  const read = training.progress.flatMap(({ round, position }) =>
    Array.from({ length: position }, (_, i) =>
      Number(selections[round]![i % selections[round]!.length]! & 0xffffffffffn),
    ),
  )
  const dates = read
    .map(date)
    .filter((one) => one !== '')
    .sort()
  expect(found.dates).toEqual({ first: dates[0], last: dates.at(-1) })
  expect(new Map(found.sources.map(({ name, tokens }) => [name, tokens]))).toEqual(
    by((n) => (n % 2 === 0 ? 'even.jsonl' : 'source 1')),
  )
  expect(new Map(found.actors[0]!.subcategories.map(({ name, tokens }) => [name, tokens]))).toEqual(
    by((n) => (n % 2 === 0 ? 'even' : 'odd')),
  )
  expect(found.unknown.map(({ field }) => field)).toEqual(
    expect.arrayContaining(['licences', 'languages', 'webDomains', 'years', 'opt-outs', 'personal data']),
  )
})

test('a summary is the same bytes each time, also while nothing is there yet; a field may be said to be elsewhere', async () => {
  const [first, last] = [training.progress[0]!, training.progress[1]!]
  const of = async (report: Progress, paths = usualPaths) =>
    await summaryOf(inputs(), { ...report, checkpoint: report.checkpoint! }, paths)
  const once = await of(last)
  for (const text of [summaryDocument, JSON.stringify, (one: typeof once) => JSON.stringify(summaryCroissant(one))])
    expect(text(await of(last))).toBe(text(once))
  expect((await of(first)).tokens).toBe(first.tokens)
  const rights = await of(last, { ...usualPaths, licence: [['rights', 'holder']] })
  expect(rights.licences.said.map(({ value }) => value)).toEqual(["it's \\ quoted"])
  expect(summaryDocument(once)).toContain('| cc-by-4.0 |')
})

test('SPDX 3 has each kind of sums, which add up to the tokens, whole licences and sources, and names nothing that is not in it', async () => {
  const report = training.progress.at(-1)!
  const of = async () => await summaryOf(inputs(), { ...report, checkpoint: report.checkpoint! }, usualPaths)
  const found = await of()
  const spdx = summarySpdx(found, 1.8e12 + 1) as { '@graph': Record<string, unknown>[] }
  expect(JSON.stringify(summarySpdx(await of(), 1.8e12 + 1))).toBe(JSON.stringify(spdx))
  const [creation, document, ...elements] = spdx['@graph']
  expect(creation).toMatchObject({ type: 'CreationInfo', '@id': '_:creation', created: '2027-01-15T08:00:00Z' })
  const ids = elements.map(({ spdxId }) => spdxId)
  expect(new Set(ids).size).toBe(ids.length)
  expect(document!.element).toEqual(ids)
  const sums = elements.filter(({ type }) => type === 'Annotation').map(({ statement }) => JSON.parse(`${statement}`))
  expect(sums.map(({ kind }) => kind)).toEqual(['source', 'parity', 'licence', 'language', 'web domain', 'year'])
  for (const { sums: of } of sums)
    expect(of.reduce((sum: number, { tokens }: { tokens: number }) => sum + tokens, 0)).toBe(report.tokens)
  const named = (type: string) => elements.filter((one) => one.type === type).map(({ name }) => name)
  expect(named('dataset_DatasetPackage').slice(1)).toEqual(found.sources.map(({ name }) => name))
  expect(named('simplelicensing_LicenseExpression')).toEqual(['cc-by-4.0'])
  const related = elements.filter(({ type }) => type === 'Relationship')
  expect(related.map(({ relationshipType }) => relationshipType)).toEqual([
    'trainedOn',
    'contains',
    'hasDeclaredLicense',
  ])
  for (const { from, to } of related) expect(ids).toEqual(expect.arrayContaining([from, ...(to as string[])]))
})

test.skipIf(schemaOfSpdx === undefined)(
  'SPDX 3 is valid by the schema that SPDX publishes, whose file WINNOW_TEST_SPDX_SCHEMA names',
  async () => {
    const report = training.progress.at(-1)!
    const found = await summaryOf(inputs(), { ...report, checkpoint: report.checkpoint! }, usualPaths)
    const spdx = JSON.parse(JSON.stringify(summarySpdx(found, 1.8e12)))
    const { Ajv2020 } = await import('ajv/dist/2020.js')
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(schemaOfSpdx!, 'utf8')))
    expect(validate(spdx), JSON.stringify(validate.errors)).toBe(true)
    const [creation, document, ...elements] = spdx['@graph']
    expect(validate({ ...spdx, '@graph': [creation, { ...document, rootElement: 1 }, ...elements] })).toBe(false)
  },
)

test('where the trainer counts otherwise than ingest, the summary says so', async () => {
  const report = { ...training.progress.at(-1)!, tokens: 10 * training.progress.at(-1)!.tokens }
  const found = await summaryOf(inputs(), { ...report, checkpoint: report.checkpoint! }, usualPaths)
  expect(found.addsUp).toBe(false)
  expect(found.unknown.at(-1)).toMatchObject({ field: 'tokens' })
})
