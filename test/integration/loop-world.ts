import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject, onTestFinished } from 'vitest'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { labelsTopic } from '../../schemas/index.ts'
import type { Config } from '../../services/config/config.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime, type Runtime } from '../../services/connections/connections.ts'
import { startCorpus } from '../../services/host/corpus.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { noProgress } from '../../services/ingest/progress.ts'
import { type Model, openModel } from '../../services/model/model.ts'
import { labelProgress } from '../../services/runs/label-progress.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { createLog } from '../../services/runtime/log.ts'
import { closeAll, type Service } from '../../services/runtime/service.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import { removeCorpusTopics } from '../support/corpus-topics.ts'
import { until } from '../support/kafka.ts'

/** Three made-up kinds of writing, for the metadata labeler and for a model that can tell them apart. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  harbour: 'the ship left harbour at dawn and sailed past cliffs where gulls cried over grey water and rain'.split(' '),
  kitchen: 'warm butter and flour make a soft dough that rests before you bake bread with salt and honey'.split(' '),
  ledger: 'invoice 17 lists 240 units at 3.50 each so the total due by march is 840 plus tax of 8%'.split(' '),
}

function textOf(kind: string, n: number): string {
  let state = 48271 * (n + 1)
  const words = Array.from({ length: 12 + ((7 * n) % 40) }, () => {
    state = (state * 48271) % 2147483647
    return kinds[kind]![state % kinds[kind]!.length]!
  })
  // A line separator: within a JSON string it ends no line.
  return `${kind} ${n}\u2028${words.join(' ')}.`
}

export function corpusLines(first: number, count: number): string {
  return Array.from({ length: count }, (_, i) => {
    const kind = Object.keys(kinds)[(first + i) % 3]!
    return `${JSON.stringify({ text: textOf(kind, first + i), meta: { kind } })}\n`
  }).join('')
}

/** A corpus with real labelers on the test's cluster, in a database and under actor names of its own. */
export interface World {
  readonly runtime: Runtime
  readonly config: Config
  readonly model: Model
  readonly folder: string
  /** Of ClickHouse. */
  readonly database: string
  readonly versions: Readonly<Record<string, string>>
  /** A second connection, as another process would have. */
  connect(): Promise<Runtime>
  /** Ends labelers and label sink, and starts them again. */
  stopCorpus(): Promise<void>
  startCorpus(): Promise<void>
  /** Ingests documents and waits for nothing. */
  ingest(first: number, count: number): Promise<void>
  /** Ingests documents and waits until all are labelled and stored. */
  add(first: number, count: number): Promise<void>
  /** A run of two reselections. */
  run(name: string, selection?: object, more?: object): RunConfig
}

/** @param more further actors, under names that end with the id of this world */
export async function openWorld(
  documents: number,
  watched: Parameters<typeof openRuntime>[2] = {},
  more: (id: string) => object = () => ({}),
): Promise<World> {
  const id = randomUUID().slice(0, 8)
  const folder = mkdtempSync(join(tmpdir(), 'winnow-loop-'))
  const database = `loop_${id}`
  const server = await createClickHouse({ url: inject('clickhouseUrl') })
  await server.sql.command(`CREATE DATABASE ${database}`)
  await server.close()
  const config = loadConfig({
    folder,
    env: {},
    file: fileOf(folder, 'winnow.yaml', {
      corpus: { partitions: 3 },
      actors: {
        [`kind-${id}`]: { subcategories: Object.keys(kinds), labeler: { kind: 'metadata', path: 'kind' } },
        [`quality-${id}`]: {
          subcategories: ['0-1', '1-2', '2-3', '3-4', '4-5'],
          labeler: { kind: 'hashed', model: 'shipped:quality' },
        },
        ...more(id),
      },
    }),
  })
  const connect = () =>
    openRuntime(
      {
        brokers: inject('brokers'),
        registryUrl: inject('registryUrl'),
        clickhouseUrl: inject('clickhouseUrl'),
        database,
      },
      createLog('test', process.env.WINNOW_LOG_LEVEL ?? 'warn'),
      watched,
    )
  const runtime = await connect()
  const services: Service[] = []
  onTestFinished(async () => {
    await closeAll(services)
    await runtime.close()
    rmSync(folder, { recursive: true, force: true })
  })
  await removeCorpusTopics(runtime.kafka)
  await createCorpusTopics(runtime.kafka, config)
  const corpus = await startCorpus(runtime, config, fail)
  services.push(...corpus.services)
  let ofCorpus = corpus.services
  const stop = async () => {
    for (const service of ofCorpus) services.splice(services.indexOf(service), 1)
    await closeAll(ofCorpus)
  }
  const start = async () => {
    ofCorpus = (await startCorpus(runtime, config, fail)).services
    services.push(...ofCorpus)
  }
  const model = await openModel({ graphs: demoGraphs })
  services.unshift({ name: 'model', close: () => model.close() })
  const reference = (name: string, first: number) => {
    const path = join(folder, `${name}.jsonl`)
    writeFileSync(path, corpusLines(first, 6))
    return path
  }
  const references = {
    reward: reference('reward', 300),
    evaluation: reference('evaluation', 330),
    corpus: reference('held-out', 360),
    samplesMax: 4,
  }
  const { versions } = corpus
  let total = 0
  const ingestRows = async (first: number, count: number): Promise<void> => {
    const file = join(folder, `part-${first}.jsonl`)
    writeFileSync(file, corpusLines(first, count))
    await ingest({ ...runtime, paths: [file], clock: systemClock, progress: noProgress, nameOptions: { prefix: id } })
  }
  const add = async (first: number, count: number): Promise<void> => {
    await ingestRows(first, count)
    total += count
    await until(async () => {
      const { documents, complete } = await labelProgress(runtime, new Map(Object.entries(versions)))
      return documents === total && complete === total
    })
  }
  await add(0, documents)
  const run: World['run'] = (name, selection = {}, more = {}) =>
    parseRunConfig({
      name: `${name}-${id}`,
      selection: {
        seed: 5,
        actors: Object.fromEntries(
          config.actors.map(({ name: actor, subcategories }) => [actor, { subcategories, eta: 0.5 }]),
        ),
        rewardTransform: { kind: 'standardize' },
        unrewarded: 'mean',
        budget: { documents: 20 },
        ...selection,
      },
      updateSteps: 2,
      steps: 6,
      sampleDocuments: 3,
      labelers: versions,
      trainer: { batch: 2, context: 24, reportSteps: 1, warmupSteps: 0 },
      reference: references,
      model: demoGraphs,
      checkpoints: join(folder, 'checkpoints'),
      ...more,
    })
  return {
    runtime,
    config,
    model,
    folder,
    database,
    versions,
    connect,
    stopCorpus: stop,
    startCorpus: start,
    ingest: ingestRows,
    add,
    run,
  }
}

function fileOf(folder: string, name: string, content: object): string {
  // JSON is YAML.
  writeFileSync(join(folder, name), JSON.stringify(content))
  return join(folder, name)
}

/** For services that must not fail: ends the test, because nobody catches it. */
export const fail = (error: unknown): void => {
  throw error
}

export const columnsOfWorld = ({ versions }: World) =>
  Object.entries(versions).map(([actor, version]) => ({ actor, version, topic: labelsTopic(actor).name }))
