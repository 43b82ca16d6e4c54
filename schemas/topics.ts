import type { RecordType } from './record.ts'
import { Campaign, CampaignFit, ProxyClaim, ProxyResult } from './records/campaign.ts'
import { ActorChange, Promotion, Steering } from './records/change.ts'
import { Document, Gap, Label, LogPosition, Sketch, Source } from './records/corpus.ts'
import { DeadLetter } from './records/dead-letter.ts'
import { EvalItems, EvalSet, Exclusion } from './records/exclusion.ts'
import { Reward, RewardRequest } from './records/reward.ts'
import { ActorState, RoundClosed, RoundOpened, RoundRelabelled } from './records/round.ts'
import { Progress, RoundAdopted, Run } from './records/run.ts'
import { Evaluation, Manifest, SelectionChunk } from './records/selection.ts'
import { Work } from './records/work.ts'

/** A topic's properties; its name carries the actor or the run. */
export interface TopicSpec {
  readonly name: string
  readonly key: string
  /** Usually one; `console-state` carries what the console decides. */
  readonly records: readonly RecordType[]
  /**
   * `corpus`: the corpus's number of partitions, the same for all its topics, so that a document's records share a partition number.
   * `run`: what the run says (`influence.partitions`).
   */
  readonly partitions: 'corpus' | 'run' | number
  readonly cleanup: 'delete' | 'compact'
  /** -1: kept forever, because a replay starts at offset 0. */
  readonly retentionMs: number
  /** Records hold texts of documents, so they are as long as these: the topic has a `max.message.bytes` of its own. */
  readonly texts?: true
}

const forever = { cleanup: 'delete', retentionMs: -1 } as const
const compacted = { cleanup: 'compact', retentionMs: -1 } as const

/** The topics that all runs share. */
export const topics = {
  sources: { name: 'winnow.sources', key: 'source name', records: [Source], partitions: 1, ...compacted },
  documents: {
    name: 'winnow.documents',
    key: 'document id',
    records: [Document],
    partitions: 'corpus',
    texts: true,
    ...forever,
  },
  runs: { name: 'winnow.runs', key: 'run', records: [Run], partitions: 1, ...compacted },
  work: { name: 'winnow.work', key: 'piece of work', records: [Work], partitions: 1, ...compacted },
  campaigns: {
    name: 'winnow.campaigns',
    key: 'campaign/kind',
    records: [Campaign, CampaignFit],
    partitions: 1,
    ...compacted,
  },
  evalSets: {
    name: 'winnow.eval-sets',
    key: 'set or items',
    records: [EvalSet, EvalItems],
    partitions: 1,
    texts: true,
    ...compacted,
  },
  exclusions: {
    name: 'winnow.exclusions',
    key: 'document id',
    records: [Exclusion],
    partitions: 'corpus',
    ...forever,
  },
  sketches: {
    name: 'winnow.sketches',
    key: 'document id',
    records: [Sketch],
    partitions: 'corpus',
    ...forever,
  },
  gaps: {
    name: 'winnow.gaps',
    key: 'gap, or group and partition',
    records: [Gap, LogPosition],
    partitions: 1,
    ...compacted,
  },
  deadLetters: {
    name: 'winnow.dead-letters',
    key: 'origin',
    records: [DeadLetter],
    partitions: 1,
    texts: true,
    ...forever,
  },
} as const satisfies Record<string, TopicSpec>

export const labelsTopic = (actor: string): TopicSpec => ({
  name: `winnow.labels.${actor}`,
  key: 'document id',
  records: [Label],
  partitions: 'corpus',
  ...forever,
})

/** The topics of one run. */
export const runTopics = (run: string) =>
  ({
    progress: {
      name: `winnow.run.${run}.progress`,
      key: 'run',
      records: [Progress, RoundAdopted],
      partitions: 1,
      ...forever,
    },
    rewardRequests: {
      name: `winnow.run.${run}.reward-requests`,
      key: 'document id',
      records: [RewardRequest],
      partitions: 'run',
      texts: true,
      ...forever,
    },
    rewards: {
      name: `winnow.run.${run}.rewards`,
      key: 'document id',
      records: [Reward],
      partitions: 'run',
      ...forever,
    },
    actorState: {
      name: `winnow.run.${run}.actor-state`,
      key: 'actor/round',
      records: [ActorState],
      partitions: 1,
      ...compacted,
    },
    consoleState: {
      name: `winnow.run.${run}.console-state`,
      key: 'kind/round',
      records: [RoundOpened, RoundClosed, RoundRelabelled, Manifest, Evaluation],
      partitions: 1,
      ...compacted,
    },
    selections: {
      name: `winnow.run.${run}.selections`,
      key: 'round',
      records: [SelectionChunk],
      partitions: 1,
      ...forever,
    },
    changes: {
      name: `winnow.run.${run}.changes`,
      key: 'change',
      records: [ActorChange, Promotion, Steering],
      partitions: 1,
      ...forever,
    },
    work: { name: `winnow.run.${run}.work`, key: 'piece of work', records: [Work], partitions: 1, ...compacted },
  }) as const satisfies Record<string, TopicSpec>

/** The claims and results of a campaign of proxies: one partition, so that of two claims one is first. */
export const campaignTopic = (campaign: string): TopicSpec => ({
  name: `winnow.campaign.${campaign}`,
  key: 'proxy',
  records: [ProxyClaim, ProxyResult],
  partitions: 1,
  ...forever,
})

export type RunTopics = ReturnType<typeof runTopics>

/**
 * The registry's subject of a record (RecordNameStrategy): runs come and go, each with its own topics, and one subject per record lets one
 * reader read all of them.
 */
export const subjectOf = (record: RecordType) => `${record.avro.namespace}.${record.name}`

/** The topic of this name, if it is one of winnow's. */
export function topicNamed(name: string): TopicSpec | undefined {
  const actor = /^winnow\.labels\.(.+)$/.exec(name)?.[1]
  const run = /^winnow\.run\.(.+)\.[^.]+$/.exec(name)?.[1]
  const campaign = /^winnow\.campaign\.(.+)$/.exec(name)?.[1]
  const candidates: TopicSpec[] = [
    ...Object.values(topics),
    ...(actor === undefined ? [] : [labelsTopic(actor)]),
    ...(run === undefined ? [] : Object.values(runTopics(run))),
    ...(campaign === undefined ? [] : [campaignTopic(campaign)]),
  ]
  return candidates.find((topic) => topic.name === name)
}

/** Every record of winnow's topics, in the order of the topics; what a codec registers. */
export const allRecords: readonly RecordType[] = [
  ...new Set(
    [
      ...Object.values<TopicSpec>(topics),
      labelsTopic('any'),
      ...Object.values<TopicSpec>(runTopics('any')),
      campaignTopic('any'),
    ].flatMap(({ records }) => records),
  ),
]

/** Whether a topic of this name keeps every record for ever: then one that is missing is a gap. */
export function isKeptWhole(name: string): boolean {
  const topic = topicNamed(name)
  return topic?.cleanup === 'delete' && topic.retentionMs === -1
}
