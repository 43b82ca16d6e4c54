import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asDocumentId, type DocumentId, type Manifest, topics } from '../../../../schemas/index.ts'
import { ClickHouseStore } from '../../../../services/corpus/clickhouse-store.ts'
import { readDocument, readsByConditions } from '../../../../services/corpus/document.ts'
import { SortedCorpus } from '../../../../services/corpus/sorted/sorted-corpus.ts'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../../services/runtime/clickhouse/migrate.ts'
import { readsOn, recordReads, type SelectedRound } from '../../../../topologies/console/reads.ts'
import { viewOptions } from '../../../../topologies/console/selecting.ts'
import type { CorpusStore } from '../../../../topologies/corpus-store.ts'
import { MemoryStore } from '../../../../topologies/memory-store.ts'
import { timesRead } from '../../../../topologies/selection/reads.ts'
import { select } from '../../../../topologies/selection/select.ts'
import { splitmix64 } from '../../../../topologies/selection/u64.ts'
import { testRun } from '../../../support/run.ts'

const actors = { quality: ['low', 'high'], topic: ['a', 'b', 'c'] }
const columns = Object.keys(actors).map((actor) => ({ actor, version: 'v1', topic: `winnow.labels.${actor}` }))
const documents = 600
const rounds = 4
const draw = (n: number, salt: number, below: number) => Number(splitmix64(BigInt(n * 31 + salt)) % BigInt(below))
const ids = Array.from({ length: documents }, (_, n) => asDocumentId(splitmix64(BigInt(n))))
const tokensOf = (n: number) => 1 + (n % 7)
/** As of each round there are more documents. */
const heldAt = (round: number) => 200 + round * 80

async function fill(store: CorpusStore): Promise<void> {
  const at = (n: number) => ({ partition: 0, offset: n })
  await store.addDocuments(
    ids.map((docId, n) => ({ value: { docId, text: '', meta: '{}', tokens: tokensOf(n) }, ...at(n) })),
  )
  for (const [i, { actor, version }] of columns.entries())
    await store.addLabels(
      ids.map((docId, n) => ({
        value: { docId, actor, version, subcategory: draw(n, i, 2 + i), score: 0, tokens: tokensOf(n) },
        ...at(n),
      })),
    )
}

let folder: string
let clickHouse: ClickHouse
const memory = new MemoryStore()
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-reads-'))
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
  await fill(new ClickHouseStore(clickHouse.sql))
  await fill(memory)
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

const runOf = (name: string, selection: object, trainer: object = {}) =>
  testRun(name, {
    trainer,
    actors,
    labelers: { quality: 'v1', topic: 'v1' },
    selection: { firstSelection: 'weights', ...selection },
    sampleDocuments: 1,
  })

/** How much of a selection of n documents is known to be read when a round opens: by a trainer that reads on meanwhile, at first half of it. */
const readBy = (round: number, n: number, opening: number, on: boolean): number | null => {
  const read = [n * 2 + 5, 13, null, 1][round]!
  return on && opening === round + 1 ? Math.floor((read ?? n) / 2) : read
}

/** A run of some rounds whose trainer reads a part, all, or more than all of each selection; what it read counted document by document. */
async function play(store: CorpusStore, run: ReturnType<typeof runOf>, forget?: () => Promise<void>) {
  const on = readsOn(run)
  const selected: Omit<SelectedRound, 'read'>[] = []
  const selectedAt = new Map<Manifest, readonly DocumentId[]>()
  let reads = new Map<DocumentId, number>()
  const found = []
  const selections = {
    async *selection(manifest: Manifest, index: number) {
      const all = selectedAt.get(manifest)!
      for (let first = index; first < all.length; first += 7) yield all.slice(first, first + 7)
    },
  }
  for (let round = 0; round < rounds; round++) {
    const labelOffsets = [topics.documents.name, ...columns.map(({ topic }) => topic)].map((topic) => ({
      ...{ topic, partition: 0, offsetNext: heldAt(round) },
    }))
    if (round === 2) await forget?.()
    const history = selected.map((one) => {
      const { documents, round: of } = one.manifest
      return { ...one, read: readBy(of, documents, round, on) }
    })
    reads = new Map()
    for (const { manifest, read } of history) {
      const chosen = selectedAt.get(manifest)!
      for (const [i, id] of chosen.entries()) {
        const times = timesRead(i, chosen.length, read ?? chosen.length)
        if (times > 0) reads.set(id, (reads.get(id) ?? 0) + times)
      }
    }
    const viewAt = (i: number) => viewOptions(run, history[i]!.manifest.labelOffsets, history.slice(0, i))
    const since = on && round > 1 ? [{ round: round - 2, read: 0 }] : []
    await recordReads({ store, selections }, run, history, labelOffsets, viewAt, since)
    const options = viewOptions(run, labelOffsets, history)
    const corpus = await store.view(options)
    const weights = [
      [0.1 * round, 0.3],
      [0.5, -0.2, 0.1 * round],
    ]
    const theta = [0.5, round % 2 === 0 ? 0.5 : -0.5]
    const selection = await select(corpus, run.selection, round, weights, theta)
    const chosen: DocumentId[] = []
    for await (const piece of selection.ids) chosen.push(...Array.from(piece, asDocumentId))
    const byReads: Record<number, number> = {}
    for (const { reads: times, documents: held } of await corpus.groups()) byReads[times] = (byReads[times] ?? 0) + held
    const expected: Record<number, number> = {}
    for (const id of ids.slice(0, heldAt(round))) expected[reads.get(id) ?? 0] = (expected[reads.get(id) ?? 0] ?? 0) + 1
    expect(byReads).toEqual(expected)
    const described = await corpus.describe(ids)
    expect(described.size).toBe(heldAt(round))
    for (const [id, document] of described) expect(document.reads).toBe(reads.get(id) ?? 0)
    if (run.selection.repeat === 'exclude') expect(chosen.filter((id) => reads.has(id))).toEqual([])
    found.push({ chosen, digest: selection.histogramDigest })
    const [only, ...others] = selection.strata
    const manifest = {
      ...{ run: run.name, round, weights, theta, labelOffsets, documents: chosen.length },
      marginal: others.length === 0 && only!.marginal !== null ? { ...only!.marginal } : null,
      strata: run.selection.strategy === undefined ? null : selection.strata,
    } as unknown as Manifest
    selectedAt.set(manifest, chosen)
    selected.push({ run, manifest })
  }
  return { found, reads }
}

const mixture = { actor: 'topic', weights: [2, 1, 1] }
const selections = [
  { budget: { documents: 60 }, repetitionDecay: 0.1 },
  { budget: { tokens: 900 }, repeat: 'exclude' },
  { budget: { documents: 60 }, repetitionDecay: 1, strategy: { mixture } },
]

const cases = selections.map((selection, i) => ({ name: `run-${i}`, selection }))

describe('what a run has read of selections that cells decided', () => {
  test.each(cases)(
    'is counted to the document, round after round, in ClickHouse as in memory: $selection',
    async ({ name, selection }) => {
      const run = runOf(name, selection)
      const bySql = await play(new ClickHouseStore(clickHouse.sql, name === 'run-0' ? { scannedMax: 0 } : {}), run)
      const inMemory = await play(memory, run)
      expect(bySql.found).toEqual(inMemory.found)
      // Nothing is kept by documents.
      const [rows] = await clickHouse.sql.query<{ n: string }>('SELECT count() AS n FROM reads')
      expect(rows!.n).toBe('0')
    },
  )

  test.each(cases)(
    'is counted anew where more is read of a selection than was known: $selection',
    async ({ name, selection }) => {
      const run = runOf(`${name}-on`, selection, { switch: { lag: 1 } })
      const bySql = await play(new ClickHouseStore(clickHouse.sql), run)
      expect(bySql.found).toEqual((await play(memory, run)).found)
    },
  )

  test('is told of single documents as well', async () => {
    const run = runOf('run-0', selections[0]!)
    const { reads } = await play(memory, run)
    const tookPart = (n: number) => (offsets: readonly { offsetNext: number }[]) =>
      offsets.every(({ offsetNext }) => n < offsetNext)
    // The last round's selection has not been recorded as read.
    const last = new Map<DocumentId, number>()
    for (let n = 0; n < documents; n += 7) {
      const { labels } = (await readDocument(clickHouse.sql, ids[n]!, columns))!
      const document = { docId: ids[n]!, labels: labels!.map(({ subcategory }) => subcategory) }
      const given = Array.from({ length: rounds }, (_, round) => round)
      last.set(ids[n]!, await readsByConditions(clickHouse.sql, run.name, given, document, tookPart(n)))
    }
    const later = [...last].filter(([id, times]) => times !== (reads.get(id) ?? 0))
    // It read one document of that.
    expect(later.length).toBeLessThanOrEqual(1)
    expect([...last.values()].some((times) => times > 1)).toBe(true)
  })

  const lossesOf = (run: string) => [
    async (store: ClickHouseStore) => await store.forgetReads(run),
    ...['read_moves DELETE WHERE', 'read_moves DELETE WHERE readsAfter = 1 AND', 'read_selections DELETE WHERE'].map(
      (loss) => async () =>
        await clickHouse.sql.command(`ALTER TABLE ${loss} run = '${run}' SETTINGS mutations_sync = 2`),
    ),
  ]
  test.each([0, 1, 2, 3])(
    'comes again from the log if the tables have lost it, or a part of it (%s), and goes with the run',
    async (loss) => {
      const run = runOf(`lost-${loss}`, selections[1]!)
      const store = new ClickHouseStore(clickHouse.sql)
      const undisturbed = await play(memory, run)
      const { found } = await play(store, run, () => lossesOf(run.name)[loss]!(store))
      expect(found).toEqual(undisturbed.found)
      expect((await store.readRounds(run.name, 'conditions')).size).toBe(rounds - 1)
      await store.forgetReads(run.name)
      expect(await store.readRounds(run.name, 'conditions')).toEqual(new Set())
    },
  )

  test('makes no histogram a scan', async () => {
    const store = new ClickHouseStore(clickHouse.sql)
    const earlier = Array.from({ length: rounds }, (_, round) => ({
      round,
      labelOffsets: [topics.documents.name, ...columns.map(({ topic }) => topic)].map((topic) => ({
        ...{ topic, partition: 0, offsetNext: heldAt(round) },
      })),
    }))
    const { labelOffsets } = earlier.at(-1)!
    const corpus = await store.view({ columns, labelOffsets, readsOf: 'run-0', earlier, draws: true })
    expect(corpus).toBeInstanceOf(SortedCorpus)
    const { query } = clickHouse.sql
    clickHouse.sql.query = () => {
      throw new Error('asked')
    }
    try {
      expect((await corpus.groups()).length).toBeGreaterThan(6)
    } finally {
      clickHouse.sql.query = query
    }
  })
})
