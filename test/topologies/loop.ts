import {
  Document,
  labelsTopic,
  type Manifest,
  Progress,
  type RewardRequest,
  runTopics,
  topics,
} from '../../schemas/index.ts'
import { dataflow, type Ports } from '../../topologies/dataflow.ts'
import { InMemoryDriver, type Scheduler, selectionOf } from '../../topologies/driver.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'

/** A tiny corpus whose labels and rewards are pure functions of the id: what the loop makes of it can be computed by hand or again. */
export const documents = Array.from({ length: 120 }, (_, n) => ({
  docId: splitmix64(BigInt(n)),
  text: `document ${n}`,
  tokens: 5 + (n % 4),
  meta: '{}',
}))

export const subcategoryOf = (actor: string, docId: bigint): number =>
  Number(splitmix64(docId ^ BigInt(actor.length)) % (actor === 'shape' ? 2n : 3n))

export const rewardOf = (checkpoint: string, docId: bigint): number =>
  Number(splitmix64(docId ^ BigInt(checkpoint.length)) % 2001n) / 1000 - 1

export function tinyRun(selection: object = {}, more: object = {}): RunConfig {
  return parseRunConfig({
    name: 'tiny',
    selection: {
      seed: 11,
      actors: {
        shape: { subcategories: ['round', 'square'], eta: 0.5 },
        colour: { subcategories: ['red', 'green', 'blue'], eta: 0.5 },
      },
      rewardTransform: { kind: 'standardize' },
      budget: { documents: 30 },
      ...selection,
    },
    updateSteps: 10,
    steps: 40,
    sampleDocuments: 6,
    labelers: { shape: 'v1', colour: 'v1' },
    reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
    model: 'm',
    checkpoints: 'k',
    ...more,
  })
}

/** Runs the whole dataflow in memory: labels, then a trainer that reports every U steps as soon as its selection is there. */
export async function runLoop(run: RunConfig, schedule?: Scheduler, partitions = 3) {
  const store = new MemoryStore()
  const { selections, progress } = runTopics(run.name)
  const driver = new InMemoryDriver({
    partitions: (topic) =>
      topic === selections.name || topic.endsWith('-state') || topic === progress.name ? 1 : partitions,
    ...(schedule !== undefined && { schedule }),
  })
  const manifests: Manifest[] = []
  const ports: Ports = {
    store,
    labelModel: (actor) => ({
      actor,
      version: 'v1',
      label: async (inputs) =>
        inputs.map(({ text }) => {
          const docId = documents.find((document) => document.text === text)!.docId
          return { ok: true, subcategory: subcategoryOf(actor, docId), score: 1 }
        }),
    }),
    influence: {
      graphDigest: 'graph',
      estimator: 'test',
      projectionSeed: '0',
      score: async ({ digest }, texts) =>
        texts.map((text) => rewardOf(digest, documents.find((document) => document.text === text)!.docId)),
    },
    console: {
      columns: run.selection.actors.map(({ name }) => ({ actor: name, version: 'v1', topic: labelsTopic(name).name })),
      selections: {
        selection: async function* (manifest) {
          yield selectionOf(manifest, driver.records(selections.name))
        },
      },
      now: () => 0,
      onEvent: (event) => {
        if (event.kind === 'selected') manifests.push(event.manifest)
      },
    },
  }
  driver.append(
    documents.map((value) => ({ topic: topics.documents.name, record: Document, key: `${value.docId}`, value })),
  )
  const stations = dataflow(run)
  const corpus = stations.filter(({ name }) => name.startsWith('label'))
  for (const station of corpus) await driver.start(station, (output) => station.build(ports, output))
  await driver.run()
  for (const station of stations.filter((one) => !corpus.includes(one))) {
    await driver.start(station, (output) => station.build(ports, output))
  }
  await driver.run()
  for (let step = run.updateSteps; step < run.steps; step += run.updateSteps) {
    const checkpoint = { path: `step-${step}`, digest: 'x'.repeat(step), step }
    const value: Progress = {
      run: run.name,
      step,
      tokens: step * 100,
      round: manifests.at(-1)!.round,
      position: 7,
      trainLoss: 1,
      referenceLoss: null,
      corpusLoss: null,
      checkpoint,
    }
    driver.append([{ topic: progress.name, record: Progress, key: run.name, value }])
    await driver.run()
  }
  const selected = manifests.map((manifest) => selectionOf(manifest, driver.records(selections.name)))
  return { driver, manifests, selected, ports, stations, store }
}

export const requestsOf = (driver: InMemoryDriver, run: string): RewardRequest[] =>
  driver.records(runTopics(run).rewardRequests.name).map(({ value }) => value as RewardRequest)
