import { setTimeout as sleep } from 'node:timers/promises'
import { campaignTopic, labelsTopic, type Manifest, runTopics, type TopicOffset, topics } from '../../schemas/index.ts'
import { stretchesFrom } from '../../topologies/console/parts.ts'
import { configurationBy } from '../../topologies/rounds/configuration.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { campaignsOf } from '../campaigns/fits-of-run.ts'
import type { Runtime } from '../connections/connections.ts'
import { type RecordedRun, readRecordedRun } from '../runs/recorded.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { TopicCut } from './plan.ts'

/**
 * What an archive of a run holds, as the log stands now: its own topics, and of the corpus what its rounds saw.
 * @param texts whether texts of documents, and with them requests for rewards, belong to it
 */
export async function cutOf(
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

/** Documents, labels and exclusions before the offsets that the newest of its rounds saw. */
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
  const { name: excluded } = topics.exclusions
  const exclusions: TopicCut = { name: excluded, ends: endsBy(seen, excluded), keep: { kind: 'whole' } }
  return [documents, ...labels, ...(exclusions.ends.length > 0 ? [exclusions] : [])]
}

function endsBy(seen: readonly TopicOffset[], topic: string): number[] {
  const ends: number[] = []
  for (const { topic: name, partition, offsetNext } of seen)
    if (name === topic) ends[partition] = Math.max(ends[partition] ?? 0, offsetNext)
  return Array.from(ends, (end) => end ?? 0)
}
