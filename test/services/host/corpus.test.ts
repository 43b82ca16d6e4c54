import { tmpdir } from 'node:os'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { asDocumentId, type DeadLetter, Document, type Label, labelsTopic, topics } from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import { loadConfig } from '../../../services/config/load.ts'
import { startCorpus, startLabeler } from '../../../services/host/corpus.ts'
import { readTopic } from '../../../services/runs/recorded.ts'
import { closeAll, type Service } from '../../../services/runtime/service.ts'
import { until } from '../../support/kafka.ts'
import { type MemoryRuntime, memoryRuntime } from '../../support/memory-runtime.ts'

const [documents, kinds] = [topics.documents.name, labelsTopic('kind').name]
let runtime: MemoryRuntime
let services: Service[]
const failures: unknown[] = []
const fail = (error: unknown) => failures.push(error)

const config = (labeler: object, partitions = 1): Config => ({
  ...loadConfig({ folder: tmpdir(), env: {} }),
  corpus: { ...loadConfig({ folder: tmpdir(), env: {} }).corpus, partitions },
  actors: [{ name: 'kind', subcategories: ['sea', 'code'], labeler } as Config['actors'][number]],
})
const byMetadata = { kind: 'metadata', path: 'kind' }

async function ingest(...kindsOfRows: string[]): Promise<void> {
  const producer = await runtime.kafka.producer()
  const first = runtime.kafka.records(documents).length
  await producer.send(
    kindsOfRows.map((kind, i) => {
      const docId = BigInt(first + i)
      const value = runtime.codec.encode(Document, {
        docId: asDocumentId(docId),
        text: 't',
        tokens: 1,
        meta: JSON.stringify({ kind }),
      })
      return { topic: documents, key: `${docId}`, value }
    }),
  )
}

const labels = async () => (await readTopic(runtime, kinds)).map(({ value }) => value as Label)
const members = async () => (await runtime.kafka.consumerGroups('')).map(({ groupId }) => groupId)

beforeEach(async () => {
  runtime = await memoryRuntime()
  services = []
})
afterEach(async () => {
  await closeAll(services)
  expect(failures.splice(0)).toEqual([])
})

test('labelers and the label sink fill the corpus; a document that a labeler refuses is kept with its reason', async () => {
  const started = await startCorpus(runtime, config(byMetadata), fail)
  services = started.services
  await ingest('sea', 'code', 'desert', 'sea')
  const view = () =>
    runtime.store.view({
      columns: [{ actor: 'kind', version: started.versions.kind!, topic: kinds }],
      labelOffsets: [documents, kinds].map((topic) => ({ topic, partition: 0, offsetNext: 100 })),
      readsOf: null,
    })
  await until(async () => (await (await view()).groups()).reduce((sum, group) => sum + group.documents, 0) === 3)
  expect(await (await view()).groups()).toMatchObject([
    { labels: [0], documents: 2 },
    { labels: [1], documents: 1 },
  ])
  const refused = (await readTopic(runtime, topics.deadLetters.name)).map(({ value }) => value as DeadLetter)
  expect(refused).toMatchObject([{ station: 'labeler kind', reason: 'unknown-domain', topic: documents, offset: 2 }])
})

test('a new labeler version labels everything from the start, beside the labels of the old one', async () => {
  const first = await startLabeler(runtime, config(byMetadata), config(byMetadata).actors[0]!, fail)
  services.push(first)
  await ingest('sea', 'code')
  await until(async () => (await labels()).length === 2)
  const mapped = config({ ...byMetadata, mapping: { sea: 'code', code: 'sea' } })
  const second = await startLabeler(runtime, mapped, mapped.actors[0]!, fail)
  services.push(second)
  await until(async () => (await labels()).length === 4)
  expect(second.labeler.version).not.toBe(first.labeler.version)
  expect((await labels()).map(({ version, subcategory }) => [version, subcategory])).toEqual([
    [first.labeler.version, 0],
    [first.labeler.version, 1],
    [second.labeler.version, 1],
    [second.labeler.version, 0],
  ])
})

test('a restarted labeler resumes at its group’s offsets', async () => {
  const [actor] = config(byMetadata).actors
  const before = await startLabeler(runtime, config(byMetadata), actor!, fail)
  await ingest('sea')
  await until(async () => (await labels()).length === 1)
  await before.close()
  await ingest('code')
  services.push(await startLabeler(runtime, config(byMetadata), actor!, fail))
  await until(async () => (await labels()).length === 2)
  expect((await labels()).map(({ docId }) => docId)).toEqual([0n, 1n])
})

test('if one labeler cannot start, everything else that was started is closed', async () => {
  const good = config(byMetadata).actors[0]!
  const broken = { ...good, name: 'broken', labeler: { kind: 'hashed', model: 'no-such-folder' } }
  const both = { ...config(byMetadata), actors: [good, broken as typeof good] }
  await expect(startCorpus(runtime, both, fail)).rejects.toMatchObject({ code: 'MODEL_UNUSABLE' })
  expect(await members()).toEqual([])
})
