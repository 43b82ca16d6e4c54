// The whole way of encrypted texts, on Kafka in memory and ClickHouse in this process: ingested, labelled, selected by rewards, erased, replayed.
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { asDocumentId, type DocumentId, labelsTopic, type Manifest } from '../../../../schemas/index.ts'
import { DocumentSearch } from '../../../../services/board/documents.ts'
import { loadConfig } from '../../../../services/config/load.ts'
import { definitionOf } from '../../../../services/connections/connections.ts'
import { ClickHouseStore } from '../../../../services/corpus/clickhouse-store.ts'
import { readable, readingStation } from '../../../../services/corpus/readable.ts'
import { prepareEpoch, rotateKeys } from '../../../../services/corpus/rotate-keys.ts'
import { ClickHouseTextKeys } from '../../../../services/corpus/text-keys.ts'
import { startLabelSink } from '../../../../services/host/corpus.ts'
import { untilSunk } from '../../../../services/host/decontamination.ts'
import { ingest } from '../../../../services/ingest/ingest.ts'
import { noProgress } from '../../../../services/ingest/progress.ts'
import { eraseDocuments, receiptOf } from '../../../../services/runs/exclusions/erase.ts'
import { assertReadable, destroyTexts } from '../../../../services/runs/exclusions/texts.ts'
import { explainDocument } from '../../../../services/runs/explain.ts'
import { labelProgress } from '../../../../services/runs/label-progress.ts'
import { replayRun } from '../../../../services/runs/replay/changes.ts'
import { replay } from '../../../../services/runs/replay/replay.ts'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../../services/runtime/clickhouse/migrate.ts'
import { systemClock } from '../../../../services/runtime/clock.ts'
import { consumerGroupOf } from '../../../../services/runtime/consumer-groups.ts'
import { Metrics } from '../../../../services/runtime/metrics/metrics.ts'
import { closeAll, type Service } from '../../../../services/runtime/service.ts'
import { runStation } from '../../../../services/runtime/station.ts'
import { MasterKeys } from '../../../../services/texts/master-keys.ts'
import { Texts } from '../../../../services/texts/texts.ts'
import { labelerStation, labelSinkStation } from '../../../../topologies/dataflow.ts'
import type { LabelModel } from '../../../../topologies/stations/labeling.ts'
import { cliOn, sayingOn } from '../../../support/cli.ts'
import { until } from '../../../support/kafka.ts'
import { type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../../support/memory-runtime.ts'
import { temporaryFolder } from '../../../support/temporary.ts'

const count = 40
const run = parityRun('r', { budget: { documents: 12 } })
/** Document 7 is one that the labeler rejects. */
const textOf = (n: number) => `somebody wrote ${n}`
const parityOf = (text: string) => Number(text.split(' ')[2]) % 2
const labels = labelsTopic('parity')

const folder = temporaryFolder('erased')
const corpus = join(folder, 'a.jsonl')
writeFileSync(corpus, Array.from({ length: count }, (_, n) => `${JSON.stringify({ text: textOf(n) })}\n`).join(''))
const idOf = (n: number): DocumentId => asDocumentId(BigInt(n))
const idsOf = (...numbers: number[]) => numbers.map(idOf)

/** Labels by what is in the text, as real labelers do. */
const byText: LabelModel = {
  ...{ actor: 'parity', version: 'v1' },
  label: async (inputs) =>
    inputs.map(({ text }) =>
      text === textOf(7)
        ? { ok: false, reason: 'seven', message: 'no good' }
        : { ok: true, subcategory: parityOf(text), score: 1 },
    ),
}

const onFailure = (error: unknown) => {
  throw error
}

async function startLabeler(runtime: MemoryRuntime, version = 'v1'): Promise<Service> {
  const station = labelerStation('parity')
  const handle = await runStation({
    ...{ ...runtime, station, onFailure },
    build: readingStation(station.name, runtime, (output) =>
      station.build({ labelModel: () => ({ ...byText, version }) }, output),
    ),
    groupId: consumerGroupOf(station, { versions: { parity: version } }),
  })
  return { name: station.name, close: () => handle.close() }
}

async function startSink(runtime: MemoryRuntime): Promise<Service> {
  const station = labelSinkStation(['parity'])
  const build = (output: Parameters<typeof station.build>[1]) => station.build(runtime, output)
  const handle = await runStation({
    ...{ ...runtime, station, build, onFailure },
    groupId: consumerGroupOf(station, {}),
  })
  return { name: station.name, close: () => handle.close() }
}

/** Ingests, labels and records the run. */
async function play(runtime: MemoryRuntime): Promise<Manifest[]> {
  await runtime.kafka.createTopics([definitionOf(labels, { partitions: 1, recordBytesMax: 8 * 1024 * 1024 })])
  started.push(await startLabeler(runtime), await startSink(runtime))
  await ingest({ ...runtime, paths: [corpus], clock: () => 0, progress: noProgress })
  await until(async () => {
    const places = new Map((await runtime.store.committed()).map(({ topic, offsetNext }) => [topic, offsetNext]))
    return (places.get(labels.name) ?? 0) >= count - 1
  })
  return await recordRun(runtime, run, (text) => (parityOf(text) === 1 ? 1 : -1))
}

const started: Service[] = []
let clickHouse: ClickHouse
let runtime: MemoryRuntime
let keys: ClickHouseTextKeys
let manifests: Manifest[]

beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${join(folder, 'clickhouse')}` })
  await migrate(clickHouse.sql)
  keys = new ClickHouseTextKeys(clickHouse.sql)
  const texts = new Texts(keys, MasterKeys.create(join(folder, 'keys.json'), 0))
  runtime = { ...(await memoryRuntime(new ClickHouseStore(clickHouse.sql), texts)), clickHouse }
  manifests = await play(runtime)
}, 60_000)

afterAll(async () => {
  await closeAll(started)
  await clickHouse?.close()
})

/** Everything that is in any topic, as bytes. */
async function bytesOf({ kafka }: MemoryRuntime): Promise<string> {
  let bytes = ''
  for (const name of await kafka.topicNames())
    for await (const records of kafka.read(name)) for (const { value } of records) bytes += value?.toString('latin1')
  return bytes
}

const erase = async (name: string, ...numbers: number[]) => {
  await eraseDocuments(runtime, { name, ids: idsOf(...numbers), by: 'somebody' })
  await untilSunk(runtime)
}

test('a run over encrypted texts selects what it selects over plain ones, bit for bit', async () => {
  const plain = await memoryRuntime()
  expect(await play(plain)).toEqual(manifests)
  expect(await bytesOf(plain)).toContain('somebody wrote 12')
}, 60_000)

test('no topic and no table has a text: neither documents nor requests for rewards nor dead letters', async () => {
  const bytes = await bytesOf(runtime)
  expect(bytes).toContain('seven')
  expect(bytes).not.toContain('somebody')
  const [stored] = await clickHouse.sql.query<{ texts: string }>(
    "SELECT countIf(positionCaseInsensitiveUTF8(text, 'somebody') > 0) AS texts FROM documents",
  )
  expect(stored).toEqual({ texts: '0' })
})

test('who has the keys reads texts, one by one and as the board shows them', async () => {
  expect((await readable(runtime).texts(idsOf(3, 12))).get(idOf(12))).toBe(textOf(12))
  expect((await explainDocument(runtime, run, idOf(3)))!.document.text).toBe(textOf(3))
  const search = new DocumentSearch(runtime, () => [])
  expect(await search.byId(idsOf(5))).toMatchObject([{ doc: '5', snippet: textOf(5) }])
  // Words are searched in what is stored, where they are not.
  expect(await search.find({ words: 'somebody', by: 'text', offset: 0, count: 10 })).toMatchObject({ total: 0 })
  // A single letter stands in every ciphertext.
  expect(await search.find({ words: 'e', by: 'text', offset: 0, count: 10 })).toMatchObject({ total: 0 })
})

test('erased texts cannot be read by anybody, the others can, and a replay gives the same bits', async () => {
  await erase('request-1', 12, 13)
  // As after a kill between the record and the deletion: it is known who was to be erased, and the same again finishes it.
  expect(await keys.keptThoughErased()).toEqual(idsOf(12, 13))
  expect((await receiptOf(runtime, 'request-1')).texts).toEqual({
    ...{ encrypted: 2, keysDestroyed: 0, masterKeysLeft: [1] },
  })
  // Who looks is told: by winnow status, and by the metric that label sinks have.
  expect(await keys.countKeptThoughErased()).toBe(2)
  const status = sayingOn(cli)
  expect(await status('status')).toContain('2 erased texts can still be read')
  expect(await status('status')).toContain('winnow erase request-1 finishes it')
  expect(JSON.parse(await status('status', '--json'))).toMatchObject({
    erasuresLeft: { documents: 2, requests: ['request-1'] },
  })
  const metrics = new Metrics(() => 0)
  const sink = await startLabelSink({ ...runtime, metrics }, loadConfig({ folder, env: {} }), onFailure)
  expect(await metrics.registry.metrics()).toMatch(/^winnow_erasures_left_documents 2$/m)
  await sink.close()
  for (const _ of ['once', 'again']) await destroyTexts(runtime, idsOf(12, 13))
  expect(await keys.keptThoughErased()).toEqual([])
  expect((await receiptOf(runtime, 'request-1')).texts).toMatchObject({ encrypted: 2, keysDestroyed: 2 })
  expect(await status('status')).not.toContain('can still be read')

  const stored = await runtime.store.texts(idsOf(12, 14))
  const read = await runtime.texts.read([...stored].map(([docId, text]) => ({ docId, text })))
  expect(Object.fromEntries([...stored.keys()].map((docId, i) => [`${docId}`, read[i]]))).toEqual({
    ...{ 12: null, 14: textOf(14) },
  })
  expect(await readable(runtime).texts(idsOf(12))).toEqual(new Map([[idOf(12), '']]))
  expect(await readable(runtime, 'left out').texts(idsOf(12, 14))).toEqual(new Map([[idOf(14), textOf(14)]]))
  await expect(readable(runtime, 'refused').texts(idsOf(12))).rejects.toThrow('document 12 is erased')
  expect((await explainDocument(runtime, run, idOf(12)))!.document.text).toContain('erased')
  expect(await new DocumentSearch(runtime, () => []).byId(idsOf(13))).toMatchObject([
    { snippet: expect.stringContaining('erased') },
  ])

  const rounds = await replay({ runtime, recorded: run, replay: replayRun(run, 'again') })
  expect(rounds.map(({ same }) => same)).toEqual([true, true, true])
}, 60_000)

test('what was erased cannot be taken back in, and what was not can', async () => {
  await expect(assertReadable(runtime, idsOf(3, 12))).rejects.toThrow('the keys of 1 of the documents are destroyed')
  await assertReadable(runtime, idsOf(3, 4))
})

test('a labeler that comes later passes over what is erased, and labels the rest', async () => {
  const before = (await runtime.kafka.endOffsets('winnow.dead-letters'))[0]!
  const labeler = await startLabeler(runtime, 'v2')
  await until(async () => (await runtime.kafka.endOffsets(labels.name))[0]! >= 2 * (count - 1) - 2)
  await labeler.close()
  // The one that it rejects; the erased are no dead letters.
  expect((await runtime.kafka.endOffsets('winnow.dead-letters'))[0]! - before).toBe(1)
}, 30_000)

test('a rotation wraps all keys anew, also one that was cut off, and then copies from before are of no use', async () => {
  const masterKeys = runtime.texts.masterKeys!
  // Cut off after its first page: the epoch has begun, and both have wrapped keys.
  class CutOff extends ClickHouseTextKeys {
    override async wrappedBefore(...[epoch, after, limit]: Parameters<ClickHouseTextKeys['wrappedBefore']>) {
      if (after !== undefined) throw new Error('cut off')
      return await super.wrappedBefore(epoch, after, Math.min(limit, 9))
    }
  }
  const ports = { masterKeys, kafka: runtime.kafka, clock: systemClock }
  await expect(rotateKeys({ ...ports, keys: new CutOff(clickHouse.sql) })).rejects.toThrow('cut off')
  expect((await keys.epochs()).map(({ epoch }) => epoch)).toEqual([1, 2])
  expect(await readable(runtime).texts(idsOf(0, 39))).toEqual(new Map([0, 39].map((n) => [idOf(n), textOf(n)])))

  // Meanwhile somebody is erased: his record is there, and a page that was read before writes his key again.
  await erase('request-2', 20)
  const rotated = await rotateKeys({ ...ports, keys }, { goOn: true })
  expect(rotated).toMatchObject({ epoch: 2, erased: 1 })
  expect((await keys.epochs()).map(({ epoch }) => epoch)).toEqual([2])
  expect((await receiptOf(runtime, 'request-2')).texts).toEqual({
    ...{ encrypted: 1, keysDestroyed: 1, masterKeysLeft: [1, 2] },
  })
  expect(masterKeys.dropOlder()).toEqual([1])
  expect(await readable(runtime).texts(idsOf(0, 39))).toEqual(new Map([0, 39].map((n) => [idOf(n), textOf(n)])))
}, 30_000)

test('a master key that is prepared wraps nothing before all readers have it, and then all of them read on', async () => {
  const masterKeys = runtime.texts.masterKeys!
  const copied = join(folder, 'copied.json')
  const copy = () => copyFileSync(masterKeys.path, copied)
  copy()
  const elsewhere = new Texts(keys, MasterKeys.load(copied))
  const reads = async () => {
    const stored = await runtime.store.texts(idsOf(0))
    return await elsewhere.read([{ docId: idOf(0), text: stored.get(idOf(0))! }])
  }
  const { newest } = masterKeys
  const epoch = await prepareEpoch({ masterKeys, keys, clock: systemClock })
  expect([epoch, masterKeys.newest]).toEqual([newest + 1, newest + 1])
  expect((await keys.epochs()).map((one) => one.epoch)).toEqual([newest])
  expect(await reads()).toEqual([textOf(0)])
  copy()
  const ports = { masterKeys, keys, kafka: runtime.kafka, clock: systemClock }
  expect(await rotateKeys(ports, { goOn: true })).toMatchObject({ epoch })
  // Without a restart: it reads its file again.
  expect(await reads()).toEqual([textOf(0)])
  masterKeys.dropOlder()
  const cut = await cli()('keys', 'rotate', '--prepare', '--go-on')
  expect([cut.code, cut.stderr]).toEqual([2, expect.stringContaining('one of --prepare and --go-on')])
}, 30_000)

test('an ingest with a file from before the rotation, or another file, is refused before it writes anything', async () => {
  const older = MasterKeys.create(join(folder, 'older.json'), 0)
  const another = MasterKeys.create(join(folder, 'another.json'), 0)
  for (const _ of [2, 3]) another.addEpoch(0)
  const before = await runtime.kafka.endOffsets('winnow.documents')
  const more = join(folder, 'more.jsonl')
  writeFileSync(more, '{"text":"more"}\n')
  const by = (masterKeys: MasterKeys) =>
    ingest({
      ...{ ...runtime, texts: new Texts(keys, masterKeys) },
      ...{ paths: [more], clock: () => 0, progress: noProgress },
    })
  await expect(by(older)).rejects.toThrow('ends with epoch 1, and ClickHouse has keys of epoch 3')
  await expect(by(another)).rejects.toThrow('of epoch 3 does not unwrap')
  expect(await runtime.kafka.endOffsets('winnow.documents')).toEqual(before)
})

test('an ingest that a rotation has fenced commits no text whose key the rotation deletes', async () => {
  const more = join(folder, 'fenced.jsonl')
  writeFileSync(more, '{"text":"somebody wrote 99"}\n')
  const masterKeys = runtime.texts.masterKeys!
  const texts = new Texts(keys, masterKeys)
  const { sealing } = texts
  const slow = {
    sealing: {
      ...sealing!,
      keep: async (kept: Parameters<NonNullable<typeof sealing>['keep']>[0]) => {
        await rotateKeys({ masterKeys, keys, kafka: runtime.kafka, clock: systemClock })
        await sealing!.keep(kept)
      },
    },
  }
  const options = { ...runtime, paths: [more], clock: () => 0, progress: noProgress }
  await expect(ingest({ ...options, texts: slow })).rejects.toThrow()
  await ingest(options)
  const stored = async () => (await runtime.store.texts([asDocumentId(1n << 40n)])).size === 1
  await until(stored)
  expect([...(await readable(runtime).texts([asDocumentId(1n << 40n)])).values()]).toEqual(['somebody wrote 99'])
}, 30_000)

const cli = () => {
  const file = join(folder, 'winnow.yaml')
  writeFileSync(file, 'corpus: {partitions: 1}\nactors: {parity: {subcategories: [a, b], labeler: {kind: metadata}}}\n')
  return cliOn(runtime, loadConfig({ file, env: {} }), folder)
}

test('winnow erase destroys keys and says what is left to do, which winnow keys does', async () => {
  const winnow = cli()
  const saying = sayingOn(() => winnow)
  writeFileSync(join(folder, 'ids.txt'), '30\n31\n')
  const { newest } = runtime.texts.masterKeys!
  const erased = await saying('erase', 'request-3', '--ids', 'ids.txt')
  expect(erased).toContain('2 documents are out by request request-3')
  expect(erased).toContain('texts: of 2 that are encrypted the keys of 2 are destroyed')
  expect(erased).toContain(`still to be destroyed, for copies of ClickHouse from before (winnow keys rotate)`)
  expect(await readable(runtime).texts(idsOf(30, 32))).toEqual(
    new Map([
      [idOf(30), ''],
      [idOf(32), textOf(32)],
    ]),
  )
  const lifted = await winnow('erase', 'request-3', '--lift')
  expect([lifted.code, lifted.stderr]).toEqual([
    3,
    expect.stringContaining('the keys of 2 of the documents are destroyed'),
  ])

  expect(await saying('keys', 'rotate', '--prepare')).toContain(`epoch ${newest + 1} is in `)
  expect(await saying('keys', 'rotate', '--go-on')).toContain(`epoch ${newest + 1} has wrapped`)
  // Of five the keys are destroyed; there is a text of another file, and a key that nothing was encrypted by.
  const used = count - 5 + 2
  expect(JSON.parse(await saying('keys', 'list', '--json'))).toContainEqual({
    ...{ epoch: newest + 1, keys: used, masterKey: true },
  })
  expect(await saying('keys', 'drop')).toContain(`${newest} is gone from`)
  expect(await saying('keys', 'drop')).toContain('nothing to drop')
  expect(await saying('erase', 'request-3')).toContain('master keys: those of that time are gone from the file')
  expect(await readable(runtime).texts(idsOf(32))).toEqual(new Map([[idOf(32), textOf(32)]]))
  const created = await winnow('keys', 'create', 'keys.json')
  expect([created.code, created.stderr]).toEqual([3, expect.stringContaining('is never overwritten')])
}, 60_000)

test('who waits for labels does not wait for one that nobody can make any more', async () => {
  // The labeler ends, so that it has not seen the next document when that is erased.
  await started.shift()!.close()
  const more = join(folder, 'unlabelled.jsonl')
  writeFileSync(more, `{"text":"${textOf(100)}"}\n`)
  await ingest({ ...runtime, paths: [more], clock: () => 0, progress: noProgress })
  const id = asDocumentId(2n << 40n)
  const versions = new Map([['parity', 'v1']])
  // The sink writes texts before what it knows of documents.
  await until(async () => {
    const { documents, complete, refused } = await labelProgress(runtime, versions)
    return documents - complete - refused === 1
  })
  expect((await runtime.store.texts([id])).size).toBe(1)
  const before = await labelProgress(runtime, versions)
  await eraseDocuments(runtime, { name: 'request-4', ids: [id], by: 'somebody' })
  await untilSunk(runtime)
  expect(await labelProgress(runtime, versions)).toEqual(before)
  await destroyTexts(runtime, [id])
  expect(await labelProgress(runtime, versions)).toEqual({ ...before, refused: before.refused + 1 })
}, 30_000)

test('an erasure that was killed before the sink had it is finished by winnow erase without ids, which waits for the sink', async () => {
  const sink = started.findIndex(({ name }) => name === labelSinkStation(['parity']).name)
  await started.splice(sink, 1)[0]!.close()
  await eraseDocuments(runtime, { name: 'request-5', ids: idsOf(33), by: 'somebody' })
  const committed = vi.spyOn(runtime.store, 'committed')
  onTestFinished(() => committed.mockRestore())
  const finished = sayingOn(cli)('erase', 'request-5')
  // Until it has asked how far the sink has come; one that does not ask answers.
  await Promise.race([finished, until(() => committed.mock.calls.length > 0)])
  started.push(await startSink(runtime))
  expect(await finished).toContain('1 documents are out by request request-5')
  expect(await finished).toContain('texts: of 1 that are encrypted the keys of 1 are destroyed')
  expect(await readable(runtime).texts(idsOf(33))).toEqual(new Map([[idOf(33), '']]))
}, 30_000)
