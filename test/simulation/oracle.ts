import {
  type ActorState,
  type Document,
  type Exclusion,
  type Label,
  labelsTopic,
  type Manifest,
  type Reward,
  type RewardRequest,
  RoundClosed,
  RoundOpened,
  type TopicOffset,
  topics,
} from '../../schemas/index.ts'
import type { Delivered } from '../../topologies/node.ts'
import {
  byKey,
  type NaiveConfig,
  type NaiveDocument,
  type NaiveReward,
  naiveRun,
  naiveSeed,
} from '../topologies/selection/naive.ts'
import type { World } from './world.ts'

type At<V> = { at: Delivered; value: V }

/**
 * What a run should have come to, from its input topics and the console's decisions about time alone: nothing of topologies/ but the
 * records' types. SELECTION.md is read literally by `naiveRun`; which records count is read literally here.
 * @throws Error that says what differs
 */
export function check(world: World, config: NaiveConfig): Manifest[] {
  const { run } = world
  const opened = once(world.decisions<RoundOpened>(RoundOpened.name))
  const closed = once(world.decisions<RoundClosed>(RoundClosed.name))
  const manifests = emittedOnce(world)
  const rounds = opened.map(({ round }) => round)
  same('rounds ascend', rounds, ascending(rounds))
  same(
    'one closing a round',
    closed.map(({ round }) => round),
    rounds,
  )
  same(
    'one manifest a round',
    manifests.map(({ round }) => round),
    rounds,
  )
  same('the last round is selected', rounds.at(-1), 3)

  const actors = Object.keys(config.actors)
  const all = corpusOf(world, config)
  const exclusions = world.driver.log.records<Exclusion>(topics.exclusions.name)
  const asOf = ({ labelOffsets }: RoundOpened) => {
    // By document and list what the last of them says; the log lists a partition's records in its order.
    const last = new Map<string, boolean>()
    for (const at of exclusions)
      if (before(at, labelOffsets)) last.set(`${at.value.docId} ${at.value.list}`, at.value.excluded)
    const isExcluded = (docId: string) => last.get(`${docId} erasure/a`) || last.get(`${docId} erasure/b`)
    return all.filter((one) => one.inputs.every((at) => before(at, labelOffsets)) && !isExcluded(one.document.docId))
  }
  const requests = world.driver.log.records<RewardRequest>(world.topics.rewardRequests.name).map(({ value }) => value)
  const requested = new Set(requests.map((one) => `${one.round}/${one.actor}/${one.docId}`))
  const accepted: NaiveReward[] = []
  for (const [i, round] of opened.entries()) {
    const documents = asOf(round).map(({ document }) => document)
    const samples = round.round === 0 ? [] : samplesOf(config, round.round, documents, run.sampleDocuments)
    same(`round ${round.round}: samples`, round.samples, samples)
    const asked = samples.flatMap(({ actor, docIds }) => docIds.map((docId) => `${round.round}/${actor}/${docId}`))
    same(
      `round ${round.round}: requests lost`,
      asked.filter((one) => !requested.has(one)),
      [],
    )
    const counted = rewardsOf(world, round, closed[i]!, new Set(asked))
    const { missing, reason } = closed[i]!
    const unanswered = asked.length - counted.length
    // Requests of a torn opening, which Kafka does not leave behind, may be answered before the console knows of the round: the fold counts
    // such an answer, since it stands in the log, and the console takes it for missing.
    if (world.driver.counts.torn === 0 || missing < unanswered)
      same(`round ${round.round}: missing`, missing, unanswered)
    same(`round ${round.round}: reason`, reason, missing === 0 ? 'answered' : 'deadline')
    accepted.push(...counted)
  }
  // What the openings up to a round say of an earlier selection: the last of them that says anything.
  const positions = (round: number, at: number) => {
    const said = opened.filter((one) => one.round > round && one.round <= at)
    const later = said.flatMap(({ reads }) => reads.filter((one) => one.round === round)).at(-1)
    return later?.read ?? said[0]?.previousRead ?? undefined
  }
  const byRound = new Map(opened.map((one) => [one.round, asOf(one).map(({ document }) => document)]))
  const known = all.map(({ document }) => document)
  const expected = naiveRun(config, (round) => byRound.get(round) ?? known, accepted, rounds.slice(1), positions)
  if (expected === 'normalization') throw new Error('the oracle cannot normalize: choose another configuration')
  const states = world.driver.log.records<ActorState>(world.topics.actorState.name).map(({ value }) => value)
  for (const [i, manifest] of manifests.entries()) {
    const { round, weights, theta, actorRewards, residuals, documents, tokens, ids } = expected[i]!
    const inOrder = <V>(values: Record<string, V>) => actors.map((actor) => values[actor]!)
    const what = `round ${round}: `
    same(`${what}weights`, manifest.weights, [...inOrder(weights), ...(residuals === undefined ? [] : [residuals])])
    same(`${what}theta`, manifest.theta, inOrder(theta))
    same(`${what}actor rewards`, manifest.actorRewards, inOrder(actorRewards))
    same(`${what}selected ids`, world.selected(manifest), ids.map(BigInt))
    same(`${what}size`, [manifest.documents, manifest.tokens], [documents, tokens])
    withinBudget(config, manifest, ids, known)
    for (const state of states.filter((one) => one.round === round)) {
      same(`${what}state of ${state.actor}`, state.weights, state.actor === '_cells' ? residuals : weights[state.actor])
    }
  }
  const buried = new Set(world.driver.rejected.map(({ delivered }) => placeOf(delivered)))
  same(
    'bad records without a dead letter',
    badRecords(world, config).filter((place) => !buried.has(place)),
    [],
  )
  return manifests
}

const placeOf = ({ topic, partition, offset }: Delivered) => `${topic}[${partition}]@${offset}`

const acceptable = (config: NaiveConfig, actor: string, { value }: Delivered<Label>): boolean => {
  const plain = /^[a-z0-9]+$/.test(value.version) && value.actor === actor && Number.isFinite(value.score)
  return plain && value.subcategory >= 0 && value.subcategory < config.actors[actor]!.subcategories.length
}

/** Records that no station may take in, by where they stand. */
function badRecords(world: World, config: NaiveConfig): string[] {
  const labels = Object.keys(config.actors).flatMap((actor) =>
    world.driver.log.records<Label>(labelsTopic(actor).name).filter((label) => !acceptable(config, actor, label)),
  )
  const rewards = world.driver.log
    .records<Reward>(world.topics.rewards.name)
    .filter(({ value: { run, actor, reward, taskRewards } }) => {
      const unpriced = config.price !== undefined && !Number.isFinite(taskRewards?.at(-1))
      return run !== world.run.name || !Number.isFinite(reward) || unpriced || !Object.hasOwn(config.actors, actor)
    })
  return [...labels, ...rewards].map(placeOf)
}

/**
 * The decisions by round. A write whose outcome was not known is made again, so that a decision may stand in the log twice, but
 * never as two decisions.
 */
function once<T extends { round: number }>(decisions: readonly T[]): T[] {
  const byRound = new Map<number, T>()
  for (const decision of decisions) {
    const first = byRound.get(decision.round) ?? decision
    byRound.set(decision.round, first)
    same(`round ${decision.round}: a decision made twice`, decision, first)
  }
  return [...byRound.values()]
}

/** The last manifest of each round; one before it says the same of another copy of the same chunks. */
function emittedOnce(world: World): Manifest[] {
  const byRound = new Map<number, Manifest>()
  for (const manifest of world.manifests()) {
    const first = byRound.get(manifest.round) ?? manifest
    const { chunkOffsetFirst, parts } = first
    same(`round ${manifest.round}: a selection made twice`, { ...manifest, chunkOffsetFirst, parts }, first)
    same(`round ${manifest.round}: chunks emitted twice`, world.selected(manifest), world.selected(first))
    byRound.set(manifest.round, manifest)
  }
  return [...byRound.values()]
}

interface Known {
  document: NaiveDocument
  inputs: Delivered[]
}

/** Documents with all their labels, each at the lowest offset of an acceptable record. */
function corpusOf(world: World, config: NaiveConfig): Known[] {
  const labels = Object.keys(config.actors).map((actor) => ({
    actor,
    first: lowest<Label>(
      world.driver.log
        .records<Label>(labelsTopic(actor).name)
        .filter((label) => label.value.version === 'v1' && acceptable(config, actor, label)),
    ),
  }))
  const documents = lowest<Document>(world.driver.log.records<Document>(topics.documents.name))
  return [...documents].flatMap(([docId, { at, value }]) => {
    const own = labels.map(({ actor, first }) => ({ actor, label: first.get(docId) }))
    if (own.some(({ label }) => label === undefined)) return []
    const entries = own.map(({ actor, label }) => [actor, label!.value.subcategory] as const)
    return [
      {
        document: { docId: `${docId}`, tokens: value.tokens, labels: Object.fromEntries(entries) },
        inputs: [at, ...own.map(({ label }) => label!.at)],
      },
    ]
  })
}

function lowest<V extends { docId: bigint }>(records: readonly Delivered<V>[]): Map<bigint, At<V>> {
  const first = new Map<bigint, At<V>>()
  for (const at of records) if (!first.has(at.value.docId)) first.set(at.value.docId, { at, value: at.value })
  return first
}

const before = ({ topic, partition, offset }: Delivered, limits: readonly TopicOffset[]): boolean =>
  limits.some((limit) => limit.topic === topic && limit.partition === partition && offset < limit.offsetNext)

function samplesOf(config: NaiveConfig, round: number, documents: NaiveDocument[], count: number) {
  return Object.entries(config.actors).flatMap(([actor, { subcategories }]) =>
    subcategories.flatMap((_, subcategory) => {
      const own = documents.filter(({ labels }) => labels[actor] === subcategory)
      const docIds = byKey(own, naiveSeed(config.seed, round, `sample:${actor}`)).slice(0, count)
      if (docIds.length === 0) return []
      const isJoint = config.collaboration === 'joint'
      return [
        {
          ...{ actor, subcategory, docIds: docIds.map(({ docId }) => BigInt(docId)) },
          labels: isJoint ? docIds.map(({ labels }) => Object.keys(config.actors).map((name) => labels[name]!)) : [],
          held: isJoint ? own.length : 0,
        },
      ]
    }),
  )
}

/** Of the answers to what was asked, before the closing's offsets, the first of each: a document's answers share a partition. */
function rewardsOf(world: World, opened: RoundOpened, closed: RoundClosed, asked: ReadonlySet<string>): NaiveReward[] {
  const first = new Map<string, NaiveReward>()
  for (const delivered of world.driver.log.records<Reward>(world.topics.rewards.name)) {
    const { run, round, actor, docId, reward, taskRewards, checkpointDigest } = delivered.value
    const other = taskRewards?.at(-1)
    const name = `${round}/${actor}/${docId}`
    if (run !== world.run.name || round !== opened.round || !asked.has(name) || first.has(name)) continue
    if (!Number.isFinite(reward) || checkpointDigest !== opened.checkpointDigest) continue
    if (world.run.selection.price !== undefined && !Number.isFinite(other)) continue
    const answer = { round, actor, docId: `${docId}`, reward, ...(other !== undefined && { other }) }
    if (before(delivered, closed.rewardOffsets)) first.set(name, answer)
  }
  return [...first.values()]
}

function withinBudget(config: NaiveConfig, manifest: Manifest, ids: string[], documents: NaiveDocument[]): void {
  const tokensOf = new Map(documents.map(({ docId, tokens }) => [docId, tokens]))
  if ('documents' in config.budget) {
    if (manifest.documents > config.budget.documents) throw new Error(`round ${manifest.round}: over the budget`)
    return
  }
  // The shortest prefix that reaches it: without its last document, whichever that is, it does not.
  const largest = Math.max(0, ...ids.map((id) => tokensOf.get(id)!))
  if (manifest.tokens - largest >= config.budget.tokens) throw new Error(`round ${manifest.round}: over the budget`)
}

const ascending = (numbers: number[]) => numbers.toSorted((a, b) => a - b)

/** Compares to the bit, with -0 other than 0. */
export function same(what: string, actual: unknown, expected: unknown): void {
  const [a, b] = [text(actual), text(expected)]
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`)
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'bigint' ? `${part}n` : Object.is(part, -0) ? '-0' : part,
  )
