import type { Runtime } from '../connections/connections.ts'
import { sourceNames } from '../corpus/source-names.ts'
import { checkpointMeant, type TrainedInputs } from '../runs/exposure/trained.ts'
import { type RecordedTraining, readTraining } from '../runs/exposure/training.ts'
import { runNamed } from '../runs/registry.ts'
import { systemClock } from '../runtime/clock.ts'
import { selectionsOf } from '../selections/chunks.ts'
import { Counter } from '../terminal/progress.ts'
import type { CliContext } from './context.ts'
import { runMeant } from './run-meant.ts'

/** A checkpoint of a run, with what must be at hand to say what it has read. */
export interface CheckpointRead {
  readonly inputs: TrainedInputs
  readonly training: RecordedTraining
  readonly report: ReturnType<typeof checkpointMeant>
  /** Shows how far the documents that were read are looked up; to be cleared. */
  readonly progress: Counter
}

/**
 * @param wanted the checkpoint: its step, path or the beginning of its digest; left out: the last one
 * @param run left out: the newest that has selected
 */
export async function checkpointRead(
  context: CliContext,
  runtime: Runtime,
  wanted: string | undefined,
  run: string | undefined,
): Promise<CheckpointRead> {
  const name = await runMeant(context, runtime, run)
  const training = await readTraining(runtime, name, await runtime.kafka.topicNames())
  const report = checkpointMeant(training, name, wanted)
  const progress = new Counter(context.stderr, systemClock, { doing: 'looking up what was read', unit: 'documents' })
  const inputs = {
    ...{ runtime, training, run: await runNamed(runtime, name), selections: selectionsOf(runtime) },
    sources: await sourceNames(runtime),
    onProgress: (done: number, total: number) => progress.at(done, total),
  }
  return { inputs, training, report, progress }
}
