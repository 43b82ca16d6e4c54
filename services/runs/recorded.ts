import { type Manifest, type Progress, type RoundClosed, type RoundOpened, runTopics } from '../../schemas/index.ts'
import type { Delivered } from '../../topologies/node.ts'
import type { Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'
import { WinnowError } from '../runtime/errors.ts'
import { ascending, RunView } from './run-view.ts'

/**
 * All records of a topic up to its current end, decoded, partition by partition. Invalid records are skipped; the stations send them to dead
 * letters.
 */
export async function readTopic(runtime: Pick<Runtime, 'kafka' | 'codec'>, topic: string): Promise<Delivered[]> {
  const all: Delivered[] = []
  for await (const records of runtime.kafka.read(topic)) {
    for (const { partition, offset, value: bytes } of records) {
      if (bytes === null) continue
      const decoded = await readable(() => runtime.codec.decode(bytes))
      if (decoded !== undefined) all.push({ topic, partition, offset, ...decoded })
    }
  }
  return all
}

/** The same for a topic of a run, which does not exist before a station of the run was first started: then there are none. */
const readRunTopic = async (runtime: Pick<Runtime, 'kafka' | 'codec'>, topic: string): Promise<Delivered[]> =>
  (await runtime.kafka.topicNames()).includes(topic) ? await readTopic(runtime, topic) : []

/** What the console of a run decided; the last of several records of a key. Rounds ascending. */
export interface RecordedRun {
  readonly opened: readonly RoundOpened[]
  readonly closed: readonly RoundClosed[]
  readonly manifests: readonly Manifest[]
  /** As in the log: what the actors fold. */
  readonly decisions: readonly Delivered[]
}

/** @throws WinnowError CONFIGURATION if the run has not decided anything yet */
export async function readRecordedRun(runtime: Runtime, run: string): Promise<RecordedRun> {
  const decisions = await readRunTopic(runtime, runTopics(run).consoleState.name)
  const { opened, closed, manifests } = viewOf(decisions)
  if (manifests.size === 0) throw new WinnowError('CONFIGURATION', `run ${run} has selected nothing yet`)
  return { opened: ascending(opened), closed: ascending(closed), manifests: ascending(manifests), decisions }
}

/** The manifests of a run, by round; empty if nothing is selected yet. */
export const readManifests = async (runtime: Runtime, run: string): Promise<Manifest[]> =>
  ascending(viewOf(await readRunTopic(runtime, runTopics(run).consoleState.name)).manifests)

/** All progress reports of a run, by step, each step once. */
export const readProgress = async (runtime: Runtime, run: string): Promise<Progress[]> =>
  ascending(viewOf(await readRunTopic(runtime, runTopics(run).progress.name)).progress)

function viewOf(records: readonly Delivered[]): RunView {
  const view = new RunView()
  for (const delivered of records) view.apply(delivered)
  return view
}
