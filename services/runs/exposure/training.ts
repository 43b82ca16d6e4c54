import { type Manifest, type Progress, RoundAdopted, type RoundOpened, runTopics } from '../../../schemas/index.ts'
import type { Runtime } from '../../connections/connections.ts'
import { readTopic } from '../recorded.ts'
import { ascending, RunView } from '../run-view.ts'

/** All that the log has of what a run's trainer read. */
export interface RecordedTraining {
  /** Rounds ascending. */
  readonly opened: readonly RoundOpened[]
  readonly manifests: readonly Manifest[]
  readonly adopted: readonly RoundAdopted[]
  /** Steps ascending. */
  readonly progress: readonly Progress[]
}

/** @param names of all topics: a run that never started has none */
export async function readTraining(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  run: string,
  names: readonly string[],
): Promise<RecordedTraining> {
  const view = new RunView()
  const adopted: RoundAdopted[] = []
  const { consoleState, progress } = runTopics(run)
  for (const { name } of [consoleState, progress]) {
    if (!names.includes(name)) continue
    for (const delivered of await readTopic(runtime, name)) {
      view.apply(delivered)
      if (delivered.record === RoundAdopted.name) adopted.push(delivered.value as RoundAdopted)
    }
  }
  return {
    ...{ opened: ascending(view.opened), manifests: ascending(view.manifests), adopted },
    progress: ascending(view.progress),
  }
}

/** Reports of checkpoints, steps ascending. */
export const checkpointsOf = ({ progress }: Pick<RecordedTraining, 'progress'>) =>
  progress.flatMap((report) => (report.checkpoint === null ? [] : [{ report, checkpoint: report.checkpoint }]))
