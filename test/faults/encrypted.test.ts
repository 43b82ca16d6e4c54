// Encrypted texts whose ingest, erasure and rotation are killed between any two steps, one after the other on one corpus.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Document, type DocumentId, Source, topics } from '../../schemas/index.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics } from '../../services/connections/connections.ts'
import { ClickHouseTextKeys } from '../../services/corpus/text-keys.ts'
import { untilSunk } from '../../services/host/decontamination.ts'
import { documentId } from '../../services/ingest/document-id.ts'
import { eraseDocuments, receiptOf } from '../../services/runs/exclusions/erase.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { runStation } from '../../services/runtime/station.ts'
import { isSealed, open } from '../../services/texts/envelope.ts'
import { MasterKeys, type WrappedKey } from '../../services/texts/master-keys.ts'
import { Texts } from '../../services/texts/texts.ts'
import { labelSinkStation } from '../../topologies/dataflow.ts'
import { until } from '../support/kafka.ts'
import type { Crash } from './cases.ts'
import type { CommandChildOptions } from './command-child.ts'
import type { IngestChildOptions } from './ingest-child.ts'
import { type ChildOptions, killAt, Service } from './service.ts'
import { renewCorpusTopics } from './topics.ts'
import { openWorld, type World } from './world.ts'

const rows = 300
const textOf = (row: number) => `somebody wrote ${row} ${'lorem ipsum '.repeat(100)}`
const folder = mkdtempSync(join(tmpdir(), 'winnow-encrypted-kill-'))
const encryption = join(folder, 'keys.json')
const config = join(folder, 'winnow.yaml')

let world: World
let keys: ClickHouseTextKeys
const started: { name: string; close: () => Promise<void> }[] = []
/** Of the documents that were ingested, by id. */
let wanted: ReadonlyMap<DocumentId, string>
/** Documents whose keys are destroyed, and must stay so. */
const erased = new Set<DocumentId>()

beforeAll(async () => {
  MasterKeys.create(encryption, 0)
  writeFileSync(
    config,
    'corpus: {partitions: 6}\nactors: {shape: {subcategories: [a, b], labeler: {kind: metadata}}}\n',
  )
  world = await openWorld()
  keys = new ClickHouseTextKeys(world.runtime.clickHouse.sql)
  await renewCorpusTopics(world)
  await createCorpusTopics(world.runtime.kafka, loadConfig({ file: config, env: {} }))
  const station = labelSinkStation(['shape'])
  const sink = await runStation({
    ...{ ...world.runtime, station, groupId: world.addresses.database! },
    build: (output) => station.build(world.runtime, output),
    onFailure: (error) => {
      throw error
    },
  })
  started.push({ name: station.name, close: () => sink.close() })
})
afterAll(async () => {
  await closeAll(started)
  await world.close()
  rmSync(folder, { recursive: true })
})

/** Programs that are killed one after the other at the given points, and one that finishes. */
async function killed<O extends ChildOptions>(
  program: string,
  crashes: readonly Crash[],
  optionsOf: (step: number) => O,
  between: (step: number) => Promise<void> = async () => {},
): Promise<void> {
  const services: Service[] = []
  onTestFinished(async () => {
    for (const service of services) await service.kill()
  })
  const start = (crash?: ChildOptions['crash']) => {
    services.push(new Service(program, program, { ...optionsOf(services.length), ...(crash && { crash }) }))
    return services.at(-1)!
  }
  const last = await killAt(crashes, start, () => between(services.length))
  await last.said('done')
  expect(await last.exited()).toBe(0)
}

const command = (...args: string[]): CommandChildOptions => ({
  ...{ addresses: world.addresses, args, folder, config, encryption },
})

const allKeys = () =>
  world.runtime.clickHouse.sql.query<{ doc: string; name: string; epoch: number; wrapped: string }>(
    'SELECT toString(doc) AS doc, name, epoch, wrapped FROM text_keys',
  )

const committed = async (): Promise<Document[]> =>
  (await world.records(topics.documents.name)).flatMap(({ record, value }) =>
    record === Document.name ? [value as Document] : [],
  )

/** Every document that is committed has its key and its text, unless it is erased. */
async function assertWhole(): Promise<void> {
  const documents = await committed()
  expect(documents.every(({ text }) => isSealed(text))).toBe(true)
  const read = await new Texts(keys, MasterKeys.load(encryption)).read(documents)
  expect(read).toEqual(documents.map(({ docId }) => (erased.has(docId) ? null : wanted.get(docId))))
}

/** Of erased documents there is no key, and no key that is there opens the text of one. */
async function assertUnreadable(): Promise<void> {
  const masterKeys = MasterKeys.load(encryption)
  const one = (await committed()).find(({ docId }) => erased.has(docId))!
  for (const { doc, name, epoch, wrapped } of await allKeys()) {
    expect(erased).not.toContain(BigInt(doc))
    const key = masterKeys.unwrap({ docId: BigInt(doc) as DocumentId, name, epoch, wrapped })
    // Neither by its own name nor by another's.
    expect(() => open(one.text, { ...key, docId: one.docId })).toThrow('does not authenticate')
  }
}

test('an ingest that is killed between key and text loses no text, and commits none whose key is not kept', async () => {
  const prefix = randomUUID().slice(0, 8)
  const path = join(folder, 'a.jsonl')
  writeFileSync(path, Array.from({ length: rows }, (_, row) => `${JSON.stringify({ text: textOf(row) })}\n`).join(''))
  wanted = new Map(Array.from({ length: rows }, (_, row) => [documentId(0, row), textOf(row)]))
  const crashes: Crash[] = [
    { point: 'store before keys', visit: 2 },
    { point: 'store after keys', visit: 1 },
    { point: 'producer before send', visit: 2 },
    // The first transaction has no records, and fences.
    { point: 'producer before commit', visit: 2 },
    { point: 'producer after transaction', visit: 2 },
  ]
  const options = (): IngestChildOptions => ({ addresses: world.addresses, paths: [path], prefix, encryption })
  await killed('ingest-child.ts', crashes, options, assertWhole)
  const done = async () =>
    (await world.records(topics.sources.name)).some(
      ({ record, value }) => record === Source.name && (value as Source).complete,
    )
  await until(done)
  await until(async () => (await world.runtime.store.texts([...wanted.keys()])).size === rows)
  await assertWhole()
  // Attempts that were killed once their keys were kept leave keys that nothing needs.
  expect((await allKeys()).length).toBeGreaterThan(rows)
})

/** What the receipt says of the texts of a request, beside what is true. */
async function receiptAndTruth(request: string, ids: readonly DocumentId[]) {
  await untilSunk(world.runtime)
  const { texts } = await receiptOf({ ...world.runtime, texts: new Texts(keys, MasterKeys.load(encryption)) }, request)
  const left = new Set(await keys.kept(ids))
  return { said: texts && [texts.encrypted, texts.keysDestroyed], true: [ids.length, ids.length - left.size] }
}

const first = Array.from({ length: 20 }, (_, n) => documentId(0, 7 * n))
const second = Array.from({ length: 5 }, (_, n) => documentId(0, 200 + n))
/** As a backup of ClickHouse from before all erasures has them. */
let backup: WrappedKey[]

test('an erasure that is killed between any two steps is finished by the same command, and its receipt is true after each', async () => {
  backup = await keys.of(first)
  writeFileSync(join(folder, 'ids.txt'), first.join('\n'))
  const crashes: Crash[] = [
    { point: 'producer before send', visit: 1 },
    { point: 'producer after send', visit: 1 },
    { point: 'store before command', visit: 1 },
    { point: 'store after command', visit: 1 },
  ]
  const recorded = [false, true, true, true]
  await killed(
    'command-child.ts',
    crashes,
    // Once it is recorded nobody has to have the ids.
    (step) => (step < 3 ? command('erase', 'request-1', '--ids', 'ids.txt') : command('erase', 'request-1')),
    async (step) => {
      if (step === 4) for (const docId of first) erased.add(docId)
      const { said, true: truth } = await receiptAndTruth('request-1', first)
      expect(said).toEqual(recorded[step - 1] ? truth : undefined)
      await assertWhole()
    },
  )
  expect(await receiptAndTruth('request-1', first)).toEqual({ said: [20, 20], true: [20, 20] })
  await assertWhole()
  await assertUnreadable()
})

test('a rotation that is killed between any two steps is gone on with: all is read before and after, and no erased key is wrapped anew', async () => {
  // Killed between its record and its keys, before the rotation begins: no receipt of it names the new epoch.
  await eraseDocuments(world.runtime, { name: 'request-2', ids: second, by: 'somebody' })
  const crashes: Crash[] = [
    // The deletion of those keys.
    { point: 'store before command', visit: 1 },
    { point: 'store before addEpoch', visit: 1 },
    { point: 'store after addEpoch', visit: 1 },
    { point: 'store after insert', visit: 1 },
    { point: 'producer before transaction', visit: 1 },
    { point: 'producer after transaction', visit: 1 },
    { point: 'store before insert', visit: 2 },
    { point: 'store after insert', visit: 2 },
    { point: 'store before command', visit: 1 },
    { point: 'store after command', visit: 1 },
  ]
  await killed(
    'command-child.ts',
    crashes,
    (step) => (step < 3 ? command('keys', 'rotate') : command('keys', 'rotate', '--go-on')),
    async (step) => {
      if (step === 2) for (const docId of second) erased.add(docId)
      expect(MasterKeys.load(encryption).epochs).toEqual(step < 3 ? [1] : [1, 2])
      expect((await keys.of(second)).map(({ epoch }) => epoch)).toEqual(step === 1 ? second.map(() => 1) : [])
      await assertWhole()
    },
  )
  expect((await keys.epochs()).map(({ epoch }) => epoch)).toEqual([2])
  await assertWhole()
  await assertUnreadable()
})

test('once the older master key is dropped, killed or not, a copy of ClickHouse from before opens nothing', async () => {
  const left = async () =>
    (await receiptOf({ ...world.runtime, texts: new Texts(keys, MasterKeys.load(encryption)) }, 'request-1')).texts
      ?.masterKeysLeft
  expect(await left()).toEqual([1])
  MasterKeys.load(encryption).unwrap(backup[0]!)
  await killed(
    'command-child.ts',
    [
      { point: 'store before dropOlder', visit: 1 },
      { point: 'store after dropOlder', visit: 1 },
    ],
    () => command('keys', 'drop'),
    assertWhole,
  )
  expect(await left()).toEqual([])
  expect(new Set(backup.map(({ docId }) => docId)).size).toBe(first.length)
  for (const key of backup)
    expect(() => MasterKeys.load(encryption).unwrap(key)).toThrow('has no master key of epoch 1')
  await assertWhole()
  await assertUnreadable()
})
