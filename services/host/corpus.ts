import { labelerStation, labelSinkStation } from '../../topologies/dataflow.ts'
import type { Output } from '../../topologies/node.ts'
import type { ActorLabels, Config } from '../config/config.ts'
import { createCorpusTopics, type Runtime } from '../connections/connections.ts'
import { assertRegistryOfLog } from '../connections/registry-of-log.ts'
import { readingStation } from '../corpus/readable.ts'
import { ClickHouseTextKeys } from '../corpus/text-keys.ts'
import { goldenFault } from '../labeler/golden/golden.ts'
import { createLabeler, Encoders, type Labeler } from '../labeler/labeler.ts'
import { systemClock } from '../runtime/clock.ts'
import { consumerGroupOf } from '../runtime/consumer-groups.ts'
import { type Service, startTogether } from '../runtime/service.ts'
import { runStation, type StationHandle } from '../runtime/station.ts'
import { documentsInClickHouse } from './refill.ts'

/**
 * A labeler without an encoder waits for the broker half of its time: a second member of its group fetches, decodes and writes while the first
 * one's texts are scored, and larger batches mean fewer fetches (test/bench/labelers.ts). An encoder's batches stay small enough to be done
 * before a rebalance excludes it.
 */
const quick = { members: 2, batchBytesMax: 2 * 1024 * 1024 }
const slow = { members: 1, batchBytesMax: 256 * 1024 }

/** Which machine produces the labels of a version: in the log, and as a metric that shows all labelers side by side. */
function tellOf({ actor, version, model }: Labeler, { log, metrics }: Runtime): void {
  if (model === undefined) return
  const { machine, golden } = model
  const fault = goldenFault(golden)
  const facts = { actor, version, ...machine, golden: golden.state }
  if (fault === undefined) log.info(facts, 'labeler started')
  else log.warn(facts, `labeler started, but its labels may differ from those of the same version: ${fault}`)
  metrics?.labelerStarted({ actor, version, ...machine, golden: golden.state })
}

/** Whether it runs a model of which a batch of documents takes seconds. */
const isSlow = ({ kind, ...labeler }: ActorLabels['labeler']): boolean =>
  kind === 'onnx' || kind === 'perplexity' || ('by' in labeler && labeler.by.kind === 'onnx')

/**
 * Labels every document for one actor. Its consumer group is the actor's own: a new actor reads from the start, and from
 * ClickHouse what the topic no longer has. Labelers of the same
 * `encoders` run a document through a model that they share only once.
 */
export async function startLabeler(
  runtime: Runtime,
  config: Config,
  actor: ActorLabels,
  onFailure: (error: unknown) => void,
  encoders?: Encoders,
): Promise<Service & { labeler: Labeler }> {
  await createCorpusTopics(runtime.kafka, config)
  const station = labelerStation(actor.name)
  const { members, ...batches } = isSlow(actor.labeler) ? slow : quick
  await using starting = new AsyncDisposableStack()
  const labeler = await createLabeler(actor, actor.labeler, config.baseFolder, encoders)
  starting.defer(() => labeler.close())
  tellOf(labeler, runtime)
  const options = {
    ...{ ...runtime, ...batches, station, onFailure },
    build: readingStation(station.name, runtime, (output) =>
      station.build({ labelModel: () => labeler, booking: { now: systemClock } }, output),
    ),
    groupId: consumerGroupOf(station, { versions: { [actor.name]: labeler.version } }),
    refill: documentsInClickHouse(runtime),
  }
  starting.use(await startMembers(members, () => runStation(options)))
  const running = starting.move()
  return { name: station.name, detail: `version ${labeler.version}`, labeler, close: () => running.disposeAsync() }
}

/**
 * Labels are small and an insert costs some milliseconds however few rows it has, so many are written at a time. Of its two members one fetches
 * and decodes while ClickHouse takes in what the other one has read: alone, each waits for the other (test/bench/label-sink.ts).
 */
const sink = { members: 2, batchBytesMax: 8 * 1024 * 1024 }

/** Writes documents and labels into ClickHouse. */
export async function startLabelSink(
  runtime: Runtime,
  config: Config,
  onFailure: (error: unknown) => void,
): Promise<Service> {
  await createCorpusTopics(runtime.kafka, config)
  const station = labelSinkStation(config.actors.map(({ name }) => name))
  const { members, batchBytesMax } = sink
  const options = {
    ...{ ...runtime, station, batchBytesMax, onFailure },
    build: (output: Output) => station.build(runtime, output),
    groupId: consumerGroupOf(station, {}),
  }
  runtime.metrics?.countErasuresLeft(() => new ClickHouseTextKeys(runtime.clickHouse.sql).countKeptThoughErased())
  const running = await startMembers(members, () => runStation(options))
  return { name: station.name, close: () => running.disposeAsync() }
}

/** Members of one group, all at once: one that joins later triggers a rebalance. What has started is closed if one cannot start. */
async function startMembers(members: number, start: () => Promise<StationHandle>): Promise<AsyncDisposableStack> {
  await using starting = new AsyncDisposableStack()
  const started = await Promise.allSettled(Array.from({ length: members }, start))
  for (const one of started) if (one.status === 'fulfilled') starting.defer(() => one.value.close())
  for (const one of started) if (one.status === 'rejected') throw one.reason
  return starting.move()
}

/** All labelers and the label sink. */
export async function startCorpus(runtime: Runtime, config: Config, onFailure: (error: unknown) => void) {
  await createCorpusTopics(runtime.kafka, config)
  await assertRegistryOfLog(runtime)
  const versions: Record<string, string> = {}
  const encoders = new Encoders()
  const services = await startTogether(async (started) => {
    const labelers = await Promise.allSettled(
      config.actors.map((actor) => startLabeler(runtime, config, actor, onFailure, encoders)),
    )
    for (const one of labelers) if (one.status === 'fulfilled') started.push(one.value)
    for (const one of labelers) {
      if (one.status === 'rejected') throw one.reason
      versions[one.value.labeler.actor] = one.value.labeler.version
    }
    started.push(await startLabelSink(runtime, config, onFailure))
  })
  return { services, versions }
}
