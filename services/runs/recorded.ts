import {
  type Evaluation,
  type Manifest,
  type Progress,
  type RoundClosed,
  type RoundOpened,
  runTopics,
} from '../../schemas/index.ts'
import type { Delivered } from '../../topologies/node.ts'
import type { Runtime } from '../connections/connections.ts'
import { WinnowError } from '../runtime/errors.ts'
import { recordsOf } from '../runtime/records-of.ts'
import { ascending, RunView } from './run-view.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec'>

export async function readTopic(ports: Ports, topic: string): Promise<Delivered[]> {
  const all: Delivered[] = []
  for await (const delivered of recordsOf(ports, topic)) all.push(delivered)
  return all
}

/** The same for a topic of a run, which does not exist before a station of the run was first started: then there are none. */
const readRunTopic = async (runtime: Ports, topic: string): Promise<Delivered[]> =>
  (await runtime.kafka.topicNames()).includes(topic) ? await readTopic(runtime, topic) : []

/** What the console of a run decided; the last of several records of a key. Rounds ascending. */
export interface RecordedRun {
  readonly opened: readonly RoundOpened[]
  readonly closed: readonly RoundClosed[]
  readonly manifests: readonly Manifest[]
  readonly evaluations: readonly Evaluation[]
  /** As in the log: what the actors fold. */
  readonly decisions: readonly Delivered[]
}

/** @throws WinnowError CONFIGURATION if the run has not decided anything yet */
export async function readRecordedRun(runtime: Ports, run: string): Promise<RecordedRun> {
  const decisions = await readRunTopic(runtime, runTopics(run).consoleState.name)
  const { opened, closed, manifests, evaluations } = viewOf(decisions)
  if (manifests.size === 0) throw new WinnowError('CONFIGURATION', `run ${run} has selected nothing yet`)
  return {
    ...{ opened: ascending(opened), closed: ascending(closed), manifests: ascending(manifests) },
    ...{ evaluations: ascending(evaluations), decisions },
  }
}

/** The manifests of a run, by round; empty if nothing is selected yet. */
export const readManifests = async (runtime: Ports, run: string): Promise<Manifest[]> =>
  ascending(viewOf(await readRunTopic(runtime, runTopics(run).consoleState.name)).manifests)

/** All progress reports of a run, by step, each step once. */
export const readProgress = async (runtime: Ports, run: string): Promise<Progress[]> =>
  ascending(viewOf(await readRunTopic(runtime, runTopics(run).progress.name)).progress)

function viewOf(records: readonly Delivered[]): RunView {
  const view = new RunView()
  for (const delivered of records) view.apply(delivered)
  return view
}
