// Runs rounds of one run with two versions of winnow, the trees that it is given, on one Kafka and one registry in memory; each version has a corpus
// store of its own with the same content. Says as JSON what was selected, and what a replay by this version found. It is a process of its own because
// both trees are loaded as Node loads them.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Manifest } from '../../../schemas/index.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { FakeKafka } from '../../support/fake-kafka.ts'

const [before = '', now = '', selection = '{}'] = process.argv.slice(2)

/** A version's modules, with the types of this one. */
async function load(root: string) {
  const at = <T>(path: string) => import(pathToFileURL(join(root, path)).href) as Promise<T>
  return {
    ...(await at<typeof import('../../../schemas/index.ts')>('schemas/index.ts')),
    ...(await at<typeof import('../../../services/connections/connections.ts')>('services/connections/connections.ts')),
    ...(await at<typeof import('../../../services/host/run.ts')>('services/host/run.ts')),
    ...(await at<typeof import('../../../services/runs/recorded.ts')>('services/runs/recorded.ts')),
    ...(await at<typeof import('../../../services/runs/registry.ts')>('services/runs/registry.ts')),
    ...(await at<typeof import('../../../services/runs/replay/replay.ts')>('services/runs/replay/replay.ts')),
    ...(await at<typeof import('../../../services/runtime/codec.ts')>('services/runtime/codec.ts')),
    ...(await at<typeof import('../../../services/runtime/consumer-groups.ts')>('services/runtime/consumer-groups.ts')),
    ...(await at<typeof import('../../../services/runtime/log.ts')>('services/runtime/log.ts')),
    ...(await at<typeof import('../../../services/runtime/registry.ts')>('services/runtime/registry.ts')),
    ...(await at<typeof import('../../../services/runtime/service.ts')>('services/runtime/service.ts')),
    ...(await at<typeof import('../../../services/runtime/station.ts')>('services/runtime/station.ts')),
    ...(await at<typeof import('../../../topologies/dataflow.ts')>('topologies/dataflow.ts')),
    ...(await at<typeof import('../../../topologies/memory-store.ts')>('topologies/memory-store.ts')),
    ...(await at<typeof import('../../../topologies/run-config.ts')>('topologies/run-config.ts')),
  }
}

type Version = Awaited<ReturnType<typeof load>>
const versions = { before: await load(before), now: await load(now) }

const documents = 40
const config = {
  name: 'run',
  selection: {
    seed: 3,
    actors: { parity: { subcategories: ['even', 'odd'], eta: 0.5 } },
    budget: { documents: 6 },
    ...(JSON.parse(selection) as object),
  },
  ...{ updateSteps: 2, steps: 8, sampleDocuments: 4, labelers: { parity: 'v1' } },
  ...{ reference: { reward: 'r', evaluation: 'e', corpus: 'c' }, model: 'm', checkpoints: 'k' },
}

async function corpusOf({ MemoryStore, asDocumentId, topics, labelsTopic }: Version) {
  const store = new MemoryStore()
  const ids = Array.from({ length: documents }, (_, n) => n)
  const at = <V>(value: V, n: number) => ({ value, partition: 0, offset: n })
  const docId = (n: number) => asDocumentId(BigInt(n))
  const document = (n: number) => ({ docId: docId(n), text: `document ${n}`, tokens: 10 + n, meta: '{}' })
  const label = (n: number) => ({ actor: 'parity', subcategory: n % 2, score: 1, tokens: 10 + n, version: 'v1' })
  await store.addDocuments(ids.map((n) => at(document(n), n)))
  await store.addLabels(ids.map((n) => at({ docId: docId(n), ...label(n) }, n)))
  const inputs = [topics.documents.name, labelsTopic('parity').name]
  await store.commit(inputs.map((topic) => ({ topic, partition: 0, offsetNext: documents })))
  return store
}

/** A Kafka and a registry, and the connections of both versions to them. */
async function world() {
  const kafka = new FakeKafka()
  const registry = versions.before.registryClient('mock://upgrade')
  const connect = async (version: Version) => ({
    kafka,
    codec: await version.createCodec({ registry, records: version.allRecords }),
    log: version.createLog('upgrade', 'silent'),
    store: (await corpusOf(version)) as never,
    texts: undefined as never,
    clickHouse: undefined as never,
    close: async () => {},
  })
  const { topics, definitionOf } = versions.before
  const sizes = { partitions: 1, recordBytesMax: 8 * 1024 * 1024 }
  await kafka.createTopics(Object.values(topics).map((spec) => definitionOf(spec, sizes)))
  const runtimes = { before: await connect(versions.before), now: await connect(versions.now) }
  const { submitRun, createRunTopics, parseRunConfig } = versions.before
  const run = parseRunConfig(config)
  await submitRun(runtimes.before, run)
  await createRunTopics(kafka, run)
  return runtimes
}

type World = Awaited<ReturnType<typeof world>>
type Name = keyof typeof versions

const fail = (error: unknown) => {
  console.error(error)
  process.exit(1)
}

/** Odd documents help, more the longer they are. */
const rewardOf = (text: string): number => {
  const n = Number(text.split(' ')[1])
  return n % 2 === 0 ? -1 : 1 + n / 100
}

/** Selects the rounds up to one, console and actors of one version, the influence worker of one. Each takes the run as the registry of runs has it. */
async function play(runtimes: World, stations: Name, worker: Name, roundLast: number): Promise<void> {
  const runOf = (name: Name): Promise<RunConfig> => versions[name].runNamed(runtimes[name], 'run')
  const w = versions[worker]
  const station = w.influenceStation(await runOf(worker))
  const score = async (_checkpoint: object, texts: readonly string[]) => texts.map(rewardOf)
  const influence = { graphDigest: 'graph', estimator: 'made-up', projectionSeed: '0', score }
  const answering = await w.runStation({
    ...runtimes[worker],
    station,
    build: (output) => station.build({ influence }, output),
    groupId: w.consumerGroupOf(station, { run: 'run' }),
    onFailure: fail,
  })
  const s = versions[stations]
  const run = await runOf(stations)
  const options = { influenceWorkers: 0, onFailure: fail }
  const services = await s.startRunStations(runtimes[stations], run, {} as never, options)
  const producer = await runtimes.before.kafka.producer()
  for (let round = (await manifestsOf(runtimes)).length; round <= roundLast; round++) {
    const step = round * run.updateSteps
    const losses = { trainLoss: null, referenceLoss: null, corpusLoss: null }
    const checkpoint = { path: `${step}`, digest: `${step}`, step }
    const report = { run: 'run', step, tokens: step, round: round - 1, position: 4, ...losses, checkpoint }
    const value = runtimes[stations].codec.encode(s.Progress, report)
    if (step > 0) await producer.send([{ topic: s.runTopics('run').progress.name, key: 'run', value }])
    while ((await manifestsOf(runtimes)).length <= round) await sleep(5)
  }
  await s.closeAll([...services])
  await answering.close()
  await producer.close()
}

const manifestsOf = (runtimes: World): Promise<Manifest[]> => versions.now.readManifests(runtimes.now, 'run')

/** What this version reads of a run, and what its replay says. */
async function outcome(runtimes: World) {
  const { replay, runNamed, readManifests } = versions.now
  const recorded = await runNamed(runtimes.now, 'run')
  const comparisons = await replay({ runtime: runtimes.now, recorded, replay: { ...recorded, name: 'again' } })
  return { manifests: await readManifests(runtimes.now, 'run'), comparisons }
}

const plays: Readonly<Record<string, readonly (readonly [stations: Name, worker: Name, roundLast: number])[]>> = {
  'by the older version alone': [['before', 'before', 3]],
  'begun by the older, continued by the newer': [
    ['before', 'before', 1],
    ['now', 'now', 3],
  ],
  'with the workers upgraded first, then the console': [
    ['before', 'before', 0],
    ['before', 'now', 1],
    ['now', 'now', 3],
  ],
  'with the console upgraded first, then the workers': [
    ['before', 'before', 0],
    ['now', 'before', 2],
    ['now', 'now', 3],
  ],
}

const outcomes: Record<string, unknown> = {}
for (const [name, parts] of Object.entries(plays)) {
  const runtimes = await world()
  for (const [stations, worker, roundLast] of parts) await play(runtimes, stations, worker, roundLast)
  outcomes[name] = await outcome(runtimes)
}
const plain = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)
process.stdout.write(JSON.stringify(outcomes, plain))
process.exit(0)
