import { Manifest, type Progress, RoundClosed, RoundOpened, runTopics } from '../../schemas/index.ts'
import type { Delivered } from '../../topologies/node.ts'
import type { Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'
import { WinnowError } from '../runtime/errors.ts'

/**
 * All records of a topic up to its end as it is now, decoded, partition by partition. What is no record is passed over, as the stations
 * do, which keep it in dead letters.
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

/** What the console of a run decided; the last of several records of a key. Rounds ascending. */
export interface RecordedRun {
  readonly opened: readonly RoundOpened[]
  readonly closed: readonly RoundClosed[]
  readonly manifests: readonly Manifest[]
  /** As they stand in the log: what the actors fold. */
  readonly decisions: readonly Delivered[]
}

/** @throws WinnowError CONFIGURATION where the run has decided nothing yet */
export async function readRecordedRun(runtime: Runtime, run: string): Promise<RecordedRun> {
  const decisions = await readTopic(runtime, runTopics(run).consoleState.name)
  const of = <T extends { round: number }>(name: string): T[] => {
    const byRound = new Map<number, T>()
    for (const { record, value } of decisions) if (record === name) byRound.set((value as T).round, value as T)
    return [...byRound.values()].sort((a, b) => a.round - b.round)
  }
  const recorded = {
    opened: of<RoundOpened>(RoundOpened.name),
    closed: of<RoundClosed>(RoundClosed.name),
    manifests: of<Manifest>(Manifest.name),
    decisions,
  }
  if (recorded.manifests.length === 0) throw new WinnowError('CONFIGURATION', `run ${run} has selected nothing yet`)
  return recorded
}

/** The manifests of a run, by round; none where nothing is selected yet. */
export async function readManifests(runtime: Runtime, run: string): Promise<Manifest[]> {
  const byRound = new Map<number, Manifest>()
  for (const { record, value } of await readTopic(runtime, runTopics(run).consoleState.name)) {
    if (record === Manifest.name) byRound.set((value as Manifest).round, value as Manifest)
  }
  return [...byRound.values()].sort((a, b) => a.round - b.round)
}

/** All progress reports of a run, in order; a step reported twice (after a kill) counts once, with what either report knows. */
export async function readProgress(runtime: Runtime, run: string): Promise<Progress[]> {
  const bySteps = new Map<number, Progress>()
  for (const { value } of await readTopic(runtime, runTopics(run).progress.name)) {
    const progress = value as Progress
    const before = bySteps.get(progress.step)
    bySteps.set(
      progress.step,
      before === undefined ? progress : { ...progress, trainLoss: before.trainLoss ?? progress.trainLoss },
    )
  }
  return [...bySteps.values()].sort((a, b) => a.step - b.step)
}
