import {
  type ActorState,
  type Document,
  type Label,
  type Manifest,
  type Progress,
  type Reward,
  type RewardRequest,
  RoundOpened,
  runTopics,
  topics,
} from '../../schemas/index.ts'
import { type At, columnsOf } from '../../topologies/corpus-store.ts'
import type { MemoryStore } from '../../topologies/memory-store.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { drive } from '../support/drive.ts'
import { documentAt, documentCount, influence, labelModel } from './corpus.ts'

/** What a run must come to, whatever dies on the way: computed from its inputs in memory, without a fault. */
export interface Expected {
  readonly documents: readonly At<Document>[]
  readonly labels: readonly At<Label>[]
  readonly committed: Awaited<ReturnType<MemoryStore['committed']>>
  readonly opened: readonly RoundOpened[]
  readonly manifests: readonly Manifest[]
  /** By round, in emission order. */
  readonly selected: readonly (readonly bigint[])[]
  readonly requests: readonly RewardRequest[]
  readonly rewards: readonly Reward[]
  readonly actorStates: readonly ActorState[]
}

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
  const of = runTopics(run.name)
  const { driver, manifests, selected, store } = await drive(run, {
    documents: Array.from({ length: documentCount }, (_, n) => documentAt(n)),
    labelModel,
    influence,
    reports: () =>
      roundsOf(run)
        .slice(0, -1)
        .map((round) => progressAfter(run, round)),
    partitions: (topic) => (topic === topics.documents.name || topic.startsWith('winnow.labels.') ? 3 : 1),
  })
  const values = <T>(topic: string) => driver.records(topic).map(({ value }) => value as T)
  const decided = driver.records(of.consoleState.name)
  return {
    documents: driver.records(topics.documents.name) as At<Document>[],
    labels: columnsOf(run).flatMap(({ topic }) => driver.records(topic) as At<Label>[]),
    committed: await store.committed(),
    opened: decided.flatMap(({ record, value }) => (record === RoundOpened.name ? [value as RoundOpened] : [])),
    manifests,
    selected,
    requests: values(of.rewardRequests.name),
    rewards: values(of.rewards.name),
    actorStates: values(of.actorState.name),
  }
}
