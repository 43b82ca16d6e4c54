import {
  type ActorState,
  type Document,
  type Label,
  labelsTopic,
  Manifest,
  type Progress,
  type Reward,
  RoundClosed,
  RoundOpened,
  runTopics,
  topics,
} from '../../schemas/index.ts'
import type { Runtime } from '../../services/connections/connections.ts'
import { readTopic } from '../../services/runs/recorded.ts'
import { selectionIds } from '../../services/selections/chunks.ts'
import { selectionOf } from '../../topologies/driver.ts'
import type { Delivered } from '../../topologies/node.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { drive } from '../support/drive.ts'

/** Everything that a run decided, without what depends on clocks and on where records happened to land. */
export interface Decided {
  readonly opened: object[]
  readonly closed: object[]
  readonly states: object[]
  readonly manifests: object[]
  readonly selected: bigint[][]
}

/** The last record of each key, keys in order of their first record. */
function byKey<T>(records: readonly Delivered[], name: string, keyOf: (value: T) => string): T[] {
  const last = new Map<string, T>()
  for (const { record, value } of records) if (record === name) last.set(keyOf(value as T), value as T)
  return [...last.values()]
}

const roundOf = ({ round }: { round: number }) => `${round}`

function decided(consoleState: readonly Delivered[], actorState: readonly Delivered[], selected: bigint[][]): Decided {
  const count = (offsets: readonly { offsetNext: number }[]) =>
    offsets.reduce((sum, { offsetNext }) => sum + offsetNext, 0)
  return {
    opened: byKey<RoundOpened>(consoleState, RoundOpened.name, roundOf).map(
      ({ deadlineMs, labelOffsets, ...rest }) => ({
        ...rest,
        seen: count(labelOffsets),
        hasDeadline: deadlineMs !== null,
      }),
    ),
    closed: byKey<RoundClosed>(consoleState, RoundClosed.name, roundOf).map(({ rewardOffsets, ...rest }) => ({
      ...rest,
      seen: count(rewardOffsets),
    })),
    states: byKey<ActorState>(actorState, 'ActorState', ({ actor, round }) => `${round}/${actor}`)
      .map(({ inputOffsets, ...rest }) => ({ ...rest, seen: count(inputOffsets) }))
      .sort((a, b) => a.round - b.round || (a.actor < b.actor ? -1 : 1)),
    manifests: byKey<Manifest>(consoleState, Manifest.name, roundOf).map(
      ({ labelOffsets: _, chunkOffsetFirst: __, parts: ___, ...rest }) => rest,
    ),
    selected,
  }
}

export async function selectedIds(runtime: Runtime, manifests: readonly Manifest[]): Promise<bigint[][]> {
  const selected: bigint[][] = []
  for (const manifest of manifests) {
    const ids: bigint[] = []
    for await (const chunk of selectionIds(runtime, manifest, 0)) ids.push(...chunk)
    selected.push(ids)
  }
  return selected
}

/** What the run on the cluster decided. */
export async function decidedOnCluster(runtime: Runtime, run: RunConfig): Promise<Decided> {
  const { consoleState, actorState } = runTopics(run.name)
  const decisions = await readTopic(runtime, consoleState.name)
  const manifests = byKey<Manifest>(decisions, Manifest.name, roundOf)
  return decided(decisions, await readTopic(runtime, actorState.name), await selectedIds(runtime, manifests))
}

/** What the same stations decide in memory, from the documents, labels, rewards and progress that stand in the cluster's log. */
export async function decidedInMemory(runtime: Runtime, run: RunConfig): Promise<Decided> {
  const names = runTopics(run.name)
  const read = async <T>(topic: string) => (await readTopic(runtime, topic)).map(({ value }) => value as T)
  const documents = await read<Document>(topics.documents.name)
  const idOf = new Map(documents.map(({ docId, text }) => [text, docId]))
  const labels = new Map<string, Label>()
  for (const { name } of run.selection.actors) {
    for (const label of await read<Label>(labelsTopic(name).name)) labels.set(`${name}/${label.docId}`, label)
  }
  const rewards = await read<Reward>(names.rewards.name)
  const rewardOf = new Map(
    rewards.map(({ checkpointDigest, docId, reward }) => [`${checkpointDigest}/${docId}`, reward]),
  )
  const reported = await readTopic(runtime, names.progress.name)
  const progress = reported.flatMap(({ record, value }) => (record === 'Progress' ? [value as Progress] : []))

  const { driver } = await drive(run, {
    documents,
    labelModel: (actor) => ({
      actor,
      version: run.labelers[actor]!,
      label: async (inputs) =>
        inputs.map(({ text }) => {
          const { subcategory, score } = labels.get(`${actor}/${idOf.get(text)}`)!
          return { ok: true, subcategory, score }
        }),
    }),
    influence: {
      graphDigest: 'recorded',
      estimator: 'recorded',
      projectionSeed: 'recorded',
      score: async ({ digest }, texts) => texts.map((text) => rewardOf.get(`${digest}/${idOf.get(text)}`)!),
    },
    reports: () => progress,
    partitions: (topic) => {
      if (topic === topics.documents.name || topic.startsWith('winnow.labels.')) return 3
      return topic === names.rewards.name || topic === names.rewardRequests.name ? 4 : 1
    },
  })
  const decisions = driver.records(names.consoleState.name)
  const chunks = driver.records(names.selections.name)
  const manifests = byKey<Manifest>(decisions, Manifest.name, roundOf)
  return decided(
    decisions,
    driver.records(names.actorState.name),
    manifests.map((manifest) => selectionOf(manifest, chunks)),
  )
}
