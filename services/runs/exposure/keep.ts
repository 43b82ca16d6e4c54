import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { followProgress } from '../../host/progress.ts'
import { Latest } from '../../runtime/latest.ts'
import { closeAll, type Service } from '../../runtime/service.ts'
import { selectionsOf } from '../../selections/chunks.ts'
import { exposuresTo } from './account-of.ts'
import { checkpointMeant } from './trained.ts'
import { checkpointsOf, readTraining } from './training.ts'

/**
 * Of a run whose file asks for it: puts what its trainer has read into the table of exposures whenever a checkpoint is reported, so that nobody who asks later
 * waits for it. Only time depends on it: what fails is logged, and made up for at the next checkpoint, or by whoever asks.
 */
export async function keepExposures(runtime: Runtime, run: RunConfig): Promise<Service[]> {
  if (run.exposures !== true) return []
  const { log } = runtime
  const keeping = new Latest(
    // The last checkpoint has what those before it have.
    (_: undefined, signal) => keepUntilNow(runtime, run, signal),
    (error) =>
      log.warn({ err: error, run: run.name }, 'what was read is not kept yet; the next checkpoint tries again'),
  )
  const reports = await followProgress(runtime, run, {
    onProgress: ({ checkpoint }) => checkpoint !== null && keeping.ask(undefined),
  })
  // What was reported while nobody kept it.
  keeping.ask(undefined)
  return [
    {
      name: `exposures of ${run.name}`,
      close: async () => {
        await closeAll(reports === undefined ? [] : [reports])
        await keeping.close()
      },
    },
  ]
}

async function keepUntilNow(runtime: Runtime, run: RunConfig, signal: AbortSignal): Promise<void> {
  const training = await readTraining(runtime, run.name, await runtime.kafka.topicNames())
  if (checkpointsOf(training).length === 0) return
  const onProgress = () => signal.throwIfAborted()
  const inputs = { runtime, run, training, selections: selectionsOf(runtime), onProgress }
  await exposuresTo(inputs, checkpointMeant(training, run.name))
}
