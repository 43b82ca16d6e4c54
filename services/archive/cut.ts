import { setTimeout as sleep } from 'node:timers/promises'
import { campaignTopic, labelsTopic, type Manifest, runTopics, type TopicOffset, topics } from '../../schemas/index.ts'
import { stretchesFrom } from '../../topologies/console/parts.ts'
import { configurationBy } from '../../topologies/rounds/configuration.ts'
import { type RunConfig, recordedConfig } from '../../topologies/run-config.ts'
import { campaignsOf } from '../campaigns/fits-of-run.ts'
import type { Runtime } from '../connections/connections.ts'
import { type RecordedRun, readRecordedRun } from '../runs/recorded.ts'
import { recordOf } from '../runs/registry.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { TopicCut } from './plan.ts'

/**
 * What an archive of a run holds, as the log stands now: its own topics, and of the corpus what its rounds saw. Of a shadow also what one of the run that
 * it follows holds, whose rewards it folds and whose trainer it counts the reads of.
 * @param texts whether texts of documents, and with them requests for rewards, belong to it
 */
export async function cutOf(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  run: RunConfig,
  texts: boolean,
): Promise<TopicCut[]> {
  const own = await cutOfRun(runtime, run, texts)
  if (run.shadowOf === undefined) return own
  // After its shadow's: the shadow has followed nothing that is not there yet.
  const leader = await cutOfRun(runtime, recordedConfig(await recordOf(runtime, run.shadowOf)), texts)
  return [...Map.groupBy([...own, ...leader], ({ name }) => name).values()].map((cuts) => cuts.reduce(both))
}

/** A topic as both need it. They keep it by the same kind, since that is the topic's. */
function both(one: TopicCut, other: TopicCut): TopicCut {
  const ends = Array.from({ length: Math.max(one.ends.length, other.ends.length) }, (_, partition) =>
    Math.max(one.ends[partition] ?? 0, other.ends[partition] ?? 0),
  )
  const distinct = (...lists: string[][]) => [...new Set(lists.flat())]
  const { keep } = one
  if (keep.kind === 'keys' && other.keep.kind === 'keys')
    return { ...one, ends, keep: { ...keep, keys: distinct(keep.keys, other.keep.keys) } }
  if (keep.kind === 'versions' && other.keep.kind === 'versions')
    return { ...one, ends, keep: { ...keep, versions: distinct(keep.versions, other.keep.versions) } }
  return { ...one, ends }
}

async function cutOfRun(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  run: RunConfig,
  texts: boolean,
): Promise<TopicCut[]> {
  const { kafka } = runtime
  // First what was decided: all that led to it is before the ends that are asked for after that.
  const log = await readRecordedRun(runtime, run.name)
  const existing = new Set(await kafka.topicNames())
  const own = runTopics(run.name)
  const decided = Math.max(...log.decisions.map(({ offset }) => offset)) + 1
  const cuts: TopicCut[] = [{ name: own.consoleState.name, ends: [decided], keep: { kind: 'whole' } }]
  await chunksVisible(runtime, log.manifests.at(-1)!)
  const campaigns = campaignsOf(run)
  const whole = [
    ...[own.progress, own.rewards, own.actorState, own.selections, own.changes, own.work],
    ...(texts ? [own.rewardRequests] : []),
    ...campaigns.map(campaignTopic),
  ]
  for (const { name } of whole)
    if (existing.has(name)) cuts.push({ name, ends: await kafka.endOffsets(name), keep: { kind: 'whole' } })
  const ofShared = [
    { name: topics.runs.name, keys: [run.name] },
    { name: topics.campaigns.name, keys: campaigns },
  ]
  for (const { name, keys } of ofShared)
    if (keys.length > 0) cuts.push({ name, ends: await kafka.endOffsets(name), keep: { kind: 'keys', keys } })
  return [...cuts, ...ofCorpus(run, log, texts)]
}

const attemptsMax = 100
const attemptMs = 50

/** A transaction becomes visible partition by partition: a manifest may be readable a moment before the chunks that it names. */
async function chunksVisible({ kafka }: Pick<Runtime, 'kafka'>, manifest: Manifest): Promise<void> {
  const last = stretchesFrom(manifest, 0).at(-1)
  if (last === undefined) return
  const topic = runTopics(manifest.run).selections.name
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const [end = 0] = await kafka.endOffsets(topic)
    if (end >= last.offsetFirst + last.chunks) return
    await sleep(attemptMs)
  }
  throw new WinnowError('GUARANTEE_VIOLATED', `the selection of round ${manifest.round} is not whole in ${topic}`)
}

/** Documents, labels, exclusions and sketches before the offsets that the newest of its rounds saw. */
function ofCorpus(run: RunConfig, log: RecordedRun, texts: boolean): TopicCut[] {
  const seen = log.opened.flatMap(({ labelOffsets }) => labelOffsets)
  const configuration = configurationBy(run, log.opened)
  const rounds = log.opened.map(({ round }) => configuration.at(round))
  const documents: TopicCut = {
    name: topics.documents.name,
    ends: endsBy(seen, topics.documents.name),
    keep: { kind: texts ? 'whole' : 'withoutTexts' },
  }
  const labels = configuration.actorsEver.map((actor): TopicCut => {
    const { name } = labelsTopic(actor)
    const versions = new Set(rounds.flatMap(({ labelers }) => labelers[actor] ?? []))
    return { name, ends: endsBy(seen, name), keep: { kind: 'versions', versions: [...versions] } }
  })
  const whole = (name: string): TopicCut => ({ name, ends: endsBy(seen, name), keep: { kind: 'whole' } })
  const exclusions = whole(topics.exclusions.name)
  // Of all versions: they are few, and which ones a record is of shows only once it is decoded.
  const limits = rounds.some(({ selection }) => selection.duplicates !== undefined)
  const others = [exclusions, ...(limits ? [whole(topics.sketches.name)] : [])]
  return [documents, ...labels, ...others.filter(({ ends }) => ends.length > 0)]
}

function endsBy(seen: readonly TopicOffset[], topic: string): number[] {
  const ends: number[] = []
  for (const { topic: name, partition, offsetNext } of seen)
    if (name === topic) ends[partition] = Math.max(ends[partition] ?? 0, offsetNext)
  return Array.from(ends, (end) => end ?? 0)
}
