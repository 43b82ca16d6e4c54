import { randomUUID } from 'node:crypto'
import {
  allRecords,
  asDocumentId,
  Document,
  Label,
  labelsTopic,
  type Manifest,
  Progress,
  runTopics,
  topics,
} from '../../schemas/index.ts'
import { createRunTopics, definitionOf, type Runtime } from '../../services/connections/connections.ts'
import type { ClickHouseStore } from '../../services/corpus/clickhouse-store.ts'
import { readingStation } from '../../services/corpus/readable.ts'
import { startRunStations } from '../../services/host/run.ts'
import type { Model } from '../../services/model/model.ts'
import { readManifests } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { createCodec } from '../../services/runtime/codec.ts'
import { consumerGroupOf } from '../../services/runtime/consumer-groups.ts'
import { createLog } from '../../services/runtime/log.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { runStation } from '../../services/runtime/station.ts'
import { Texts } from '../../services/texts/texts.ts'
import type { CorpusStore } from '../../topologies/corpus-store.ts'
import { influenceStation } from '../../topologies/dataflow.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import type { Score } from '../../topologies/stations/influence.ts'
import { FakeKafka } from './fake-kafka.ts'
import { until } from './kafka.ts'
import { MemoryKeys } from './memory-keys.ts'

export type MemoryRuntime = Runtime & { readonly kafka: FakeKafka }

/**
 * A runtime on Kafka in memory, with the topics that all runs share. @param store left out: in memory as well @param texts left out: not encrypted
 */
export async function memoryRuntime(
  store: CorpusStore = new MemoryStore(),
  texts = new Texts(new MemoryKeys()),
): Promise<MemoryRuntime> {
  const kafka = new FakeKafka()
  await kafka.createTopics(
    Object.values(topics).map((spec) => definitionOf(spec, { partitions: 1, recordBytesMax: 8 * 1024 * 1024 })),
  )
  const codec = await createCodec({ registry: `mock://${randomUUID()}`, records: allRecords })
  const log = createLog('test', 'silent')
  // Stations and readers use no more of the store than every store has.
  return {
    kafka,
    codec,
    log,
    store: store as ClickHouseStore,
    texts,
    clickHouse: undefined as never,
    close: () => kafka.close(),
  }
}

/** Sends documents of numbers from `from` to before `to` to their topic, with labels of the actor parity to theirs, as ingest and labelers do. */
export async function sendByParity(
  { kafka, codec }: Pick<MemoryRuntime, 'kafka' | 'codec'>,
  [from, to]: readonly [number, number],
  textOf: (n: number) => string,
  tokensOf: (n: number) => number = () => 10,
): Promise<void> {
  const producer = await kafka.producer()
  for (let n = from; n < to; n++) {
    const docId = asDocumentId(BigInt(n))
    const tokens = tokensOf(n)
    const document = { docId, text: textOf(n), tokens, meta: '{}' }
    const label = { docId, actor: 'parity', subcategory: n % 2, score: 1, tokens, version: 'v1' }
    await producer.send([
      { topic: topics.documents.name, key: `${n}`, value: codec.encode(Document, document) },
      { topic: labelsTopic('parity').name, key: `${n}`, value: codec.encode(Label, label) },
    ])
  }
  await producer.close()
}

/** A run of three rounds with one actor, `parity`, of even and odd documents. */
export const parityRun = (name: string, selection: object = {}, more: object = {}): RunConfig =>
  parseRunConfig({
    name,
    selection: {
      seed: 3,
      actors: { parity: { subcategories: ['even', 'odd'], eta: 0.5 } },
      budget: { documents: 6 },
      ...selection,
    },
    updateSteps: 2,
    steps: 6,
    sampleDocuments: 4,
    labelers: { parity: 'v1' },
    reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
    model: 'm',
    checkpoints: 'k',
    ...more,
  })

/** Documents 0 to count - 1, labelled by parity (or their remainder by another number), at offsets that are their ids. */
export async function fillByParity(
  store: CorpusStore,
  count: number,
  textOf = (n: number) => `document ${n}`,
  divisor = 2,
): Promise<void> {
  const at = <V>(value: V, n: number) => ({ value, partition: 0, offset: n })
  const ids = Array.from({ length: count }, (_, n) => n)
  await store.addDocuments(
    ids.map((n) => at({ docId: asDocumentId(BigInt(n)), text: textOf(n), tokens: 10 + n, meta: '{}' }, n)),
  )
  const label = (n: number): Label => ({
    docId: asDocumentId(BigInt(n)),
    actor: 'parity',
    subcategory: n % divisor,
    score: 1,
    tokens: 10 + n,
    version: 'v1',
  })
  await store.addLabels(ids.map((n) => at(label(n), n)))
  const inputs = [topics.documents.name, labelsTopic('parity').name]
  await store.commit(inputs.map((topic) => ({ topic, partition: 0, offsetNext: count })))
}

/**
 * Records a run as its stations do: each of its rounds, with rewards that a function of the text makes up.
 * @param before is called before the report that opens a round
 * @param after is called once a round is selected
 */
export async function recordRun(
  runtime: Runtime,
  run: RunConfig,
  rewardOf: (text: string) => Score,
  before: (round: number) => Promise<void> = async () => {},
  after: (round: number) => Promise<void> = async () => {},
  otherLossOf: (step: number) => number | null = () => null,
): Promise<Manifest[]> {
  const onFailure = (error: unknown) => {
    throw error
  }
  await submitRun(runtime, run)
  await createRunTopics(runtime.kafka, run)
  const station = influenceStation(run)
  const influence = {
    ...{ graphDigest: 'graph', estimator: 'made-up', projectionSeed: '0' },
    score: async (_checkpoint: object, texts: readonly string[]) => texts.map(rewardOf),
  }
  const worker = await runStation({
    ...runtime,
    station,
    build: readingStation(station.name, runtime, (output) => station.build({ influence }, output)),
    groupId: consumerGroupOf(station, { run: run.name }),
    onFailure,
  })
  // No station of them uses the model: the rewards come from the worker above.
  const services = await startRunStations(runtime, run, {} as Model, { influenceWorkers: 0, onFailure })
  const producer = await runtime.kafka.producer()
  for (let step = 0; step < run.steps; step += run.updateSteps) {
    const round = step / run.updateSteps
    if (step > 0) await before(round)
    if (step > 0) await producer.send([progressOf(runtime, run, step, round - 1, otherLossOf(step))])
    await until(async () => (await readManifests(runtime, run.name)).length > round)
    await after(round)
  }
  await Promise.all([closeAll(services), worker.close(), producer.close()])
  return await readManifests(runtime, run.name)
}

/** The record of a report with a checkpoint, at which the fifth document of the round is being read. */
export function progressOf(
  { codec }: Runtime,
  { name: run }: RunConfig,
  step: number,
  round: number,
  corpusLoss: number | null,
) {
  const losses = { trainLoss: null, referenceLoss: null, corpusLoss }
  const checkpoint = { path: `${step}`, digest: `${step}`, step }
  const value = codec.encode(Progress, { run, step, tokens: step, round, position: 4, ...losses, checkpoint })
  return { topic: runTopics(run).progress.name, key: run, value }
}
