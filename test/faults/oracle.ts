import {
  type ActorState,
  Document,
  type Label,
  labelsTopic,
  type Manifest,
  Progress,
  type Reward,
  type RewardRequest,
  RoundOpened,
  runTopics,
  topics,
} from '../../schemas/index.ts'
import type { At } from '../../topologies/corpus-store.ts'
import { dataflow, type Ports } from '../../topologies/dataflow.ts'
import { InMemoryDriver, selectionOf } from '../../topologies/driver.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { documentAt, documentCount, influence, labelModel } from './corpus.ts'

/** What a run must come to, whatever dies on the way: computed from its inputs in memory, without a fault. */
export interface Expected {
  readonly documents: readonly At<Document>[]
  readonly labels: readonly At<Label>[]
  readonly covered: Awaited<ReturnType<MemoryStore['covered']>>
  readonly opened: readonly RoundOpened[]
  readonly manifests: readonly Manifest[]
  /** By round, in emission order. */
  readonly selected: readonly (readonly bigint[])[]
  readonly requests: readonly RewardRequest[]
  readonly rewards: readonly Reward[]
  readonly actorStates: readonly ActorState[]
}

export const columnsOf = (run: RunConfig) =>
  run.selection.actors.map(({ name }) => ({ actor: name, version: 'v1', topic: labelsTopic(name).name }))

/** The report of a trainer that has read 7 documents of a round's selection. */
export const progressAfter = (run: RunConfig, round: number): Progress => {
  const step = (round + 1) * run.updateSteps
  return {
    run: run.name,
    step,
    tokens: step * 100,
    round,
    position: 7,
    trainLoss: 1,
    referenceLoss: null,
    corpusLoss: null,
    checkpoint: { path: `step-${step}`, digest: 'x'.repeat(step), step },
  }
}

export const roundsOf = (run: RunConfig): number[] =>
  Array.from({ length: run.steps / run.updateSteps }, (_, round) => round)

export async function computeExpected(run: RunConfig): Promise<Expected> {
  const store = new MemoryStore()
  const of = runTopics(run.name)
  const driver = new InMemoryDriver({
    partitions: (topic) => (topic === topics.documents.name || topic.startsWith('winnow.labels.') ? 3 : 1),
  })
  const ports: Ports = {
    store,
    labelModel,
    influence,
    console: {
      columns: columnsOf(run),
      selections: {
        selection: async function* (manifest) {
          yield selectionOf(manifest, driver.records(of.selections.name))
        },
      },
      now: () => 0,
    },
  }
  const documents = Array.from({ length: documentCount }, (_, n) => documentAt(n))
  driver.append(
    documents.map((value) => ({ topic: topics.documents.name, record: Document, key: `${value.docId}`, value })),
  )
  const stations = dataflow(run)
  const ofCorpus = stations.filter(({ name }) => name.startsWith('label'))
  for (const station of ofCorpus) await driver.start(station, (output) => station.build(ports, output))
  await driver.run()
  for (const station of stations.filter((one) => !ofCorpus.includes(one)))
    await driver.start(station, (output) => station.build(ports, output))
  await driver.run()
  for (const round of roundsOf(run).slice(0, -1)) {
    driver.append([{ topic: of.progress.name, record: Progress, key: run.name, value: progressAfter(run, round) }])
    await driver.run()
  }
  const values = <T>(topic: string) => driver.records(topic).map(({ value }) => value as T)
  const decided = driver.records(of.consoleState.name)
  const manifests = decided.flatMap(({ record, value }) => (record === 'Manifest' ? [value as Manifest] : []))
  return {
    documents: driver.records(topics.documents.name) as At<Document>[],
    labels: columnsOf(run).flatMap(({ topic }) => driver.records(topic) as At<Label>[]),
    covered: await store.covered(),
    opened: decided.flatMap(({ record, value }) => (record === RoundOpened.name ? [value as RoundOpened] : [])),
    manifests,
    selected: manifests.map((manifest) => selectionOf(manifest, driver.records(of.selections.name))),
    requests: values(of.rewardRequests.name),
    rewards: values(of.rewards.name),
    actorStates: values(of.actorState.name),
  }
}
