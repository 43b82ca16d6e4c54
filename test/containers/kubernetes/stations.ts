import { allRecords, type RecordType, type RecordValue } from '../../../schemas/index.ts'
import { loadConfig } from '../../../services/config/load.ts'
import { createCorpusTopics, createRunTopics } from '../../../services/connections/connections.ts'
import { systemClock } from '../../../services/runtime/clock.ts'
import { createCodec } from '../../../services/runtime/codec.ts'
import { consumerGroupOf, type GroupOwner } from '../../../services/runtime/consumer-groups.ts'
import { createKafka } from '../../../services/runtime/kafka/kafkajs.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { Metrics } from '../../../services/runtime/metrics/metrics.ts'
import { serveMetrics } from '../../../services/runtime/metrics/server.ts'
import { runStation } from '../../../services/runtime/station.ts'
import { influenceStation, labelerStation, type Station } from '../../../topologies/dataflow.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { InfluenceModel } from '../../../topologies/stations/influence.ts'
import type { LabelModel } from '../../../topologies/stations/labeling.ts'
import type { Servers } from '../../support/servers.ts'

/** Stations on a broker, in groups of their own names and with their metrics served, whose models answer nothing while they are held. */
export interface Held {
  /** Of the metrics of a process with the labelers of quality and topic, and of one that computes a run's rewards. */
  readonly urls: { readonly labeler: string; readonly influence: string }
  send<R extends RecordType>(topic: string, record: R, values: readonly RecordValue<R>[]): Promise<void>
  hold(): void
  letGo(): void
  /** Lets go, and ends them. @throws Error of a station that has stopped by itself */
  close(): Promise<void>
}

/** They are held from the start. @param corpus partitions of the corpus, and a run, with four partitions of requests */
export async function openHeld(servers: Servers, corpus: { partitions: number; run: string }): Promise<Held> {
  const log = createLog('held', process.env.WINNOW_LOG_LEVEL ?? 'warn')
  await using opening = new AsyncDisposableStack()
  const kafka = opening.adopt(createKafka({ brokers: servers.brokers, clientId: 'held', log }), (one) => one.close())
  const codec = await createCodec({ registry: servers.registryUrl, records: allRecords })
  const config = loadConfig({ env: {}, folder: '/' })
  await createCorpusTopics(kafka, { ...config, corpus: { ...config.corpus, partitions: corpus.partitions } })
  // All that the station and the topics of a run take of it.
  const run = { name: corpus.run, influence: {} } as RunConfig
  await createRunTopics(kafka, run)
  let going = Promise.withResolvers<void>()
  let isHeld = true
  const labelModel = (actor: string): LabelModel => ({
    ...{ actor, version: 'v1' },
    label: async (inputs) => {
      await going.promise
      return inputs.map(() => ({ ok: true, subcategory: 0, score: 1 }))
    },
  })
  const influence: InfluenceModel = {
    ...{ graphDigest: 'g', estimator: 'e', projectionSeed: 's' },
    score: async (_, texts) => {
      await going.promise
      return texts.map(() => 1)
    },
  }
  const failures: unknown[] = []
  const start = async <P>(metrics: Metrics, station: Station<P>, ports: P, owner: GroupOwner): Promise<void> => {
    const running = await runStation({
      ...{ station, kafka, codec, log, metrics },
      ...(owner.run !== undefined && { run: owner.run }),
      build: (output) => station.build(ports, output),
      groupId: consumerGroupOf(station, owner),
      onFailure: (error) => failures.push(error),
    })
    opening.defer(() => running.close())
  }
  const served = async (metrics: Metrics): Promise<string> =>
    opening.adopt(await serveMetrics(metrics, { host: '127.0.0.1', port: 0, openly: false }), (one) => one.close()).url
  const [labeling, rewarding] = [new Metrics(systemClock), new Metrics(systemClock)]
  const versions = { quality: 'v1', topic: 'v1' }
  for (const actor of Object.keys(versions)) await start(labeling, labelerStation(actor), { labelModel }, { versions })
  await start(rewarding, influenceStation(run), { influence }, { run: run.name })
  const urls = { labeler: await served(labeling), influence: await served(rewarding) }
  const producer = opening.adopt(await kafka.producer(), (one) => one.close())
  const letGo = (): void => {
    isHeld = false
    going.resolve()
  }
  const open = opening.move()
  return {
    urls,
    send: async (topic, record, values) => {
      await producer.send(values.map((one, i) => ({ topic, key: `${i}`, value: codec.encode(record, one) })))
    },
    hold: () => {
      if (!isHeld) going = Promise.withResolvers<void>()
      isHeld = true
    },
    letGo,
    close: async () => {
      letGo()
      await open.disposeAsync()
      if (failures.length > 0) throw failures[0]
    },
  }
}
