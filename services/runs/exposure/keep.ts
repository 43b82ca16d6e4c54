import { Progress, runTopics } from '../../../schemas/index.ts'
import { type RunConfig, recordedConfig } from '../../../topologies/run-config.ts'
import { createRunTopics, type Runtime } from '../../connections/connections.ts'
import { followRuns } from '../../host/run-list.ts'
import { readable } from '../../runtime/codec.ts'
import { ephemeralGroup, groupNamed } from '../../runtime/consumer-groups.ts'
import { closeAll, type Service } from '../../runtime/service.ts'
import { selectionsOf } from '../../selections/chunks.ts'
import { exposuresTo } from './account-of.ts'
import { checkpointMeant } from './trained.ts'
import { checkpointsOf, readTraining } from './training.ts'

/** Keeps the exposures of the recorded runs whose file asks for it, until they are deleted. @param only of these runs; left out: of all */
export async function startExposures(
  runtime: Runtime,
  { only, onFailure }: { readonly only?: ReadonlySet<string>; readonly onFailure: (error: unknown) => void },
): Promise<Service> {
  const keepers = new Map<string, Service>()
  const follower = await followRuns(
    runtime,
    'exposures',
    async (runs) => {
      for (const [name, keeper] of keepers) {
        if (runs.has(name)) continue
        keepers.delete(name)
        await keeper.close()
      }
      for (const [name, record] of runs) {
        if (keepers.has(name) || only?.has(name) === false) continue
        // One that ends meanwhile is kept to its last checkpoint.
        if (record.life === 'ended' || record.replayOf !== null) continue
        const run = recordedConfig(record)
        if (run.exposures !== true) continue
        await createRunTopics(runtime.kafka, run)
        keepers.set(name, await keepExposures(runtime, run))
      }
    },
    onFailure,
  )
  return {
    name: 'exposures',
    close: async () => {
      await follower.close()
      await closeAll([...keepers.values()])
    },
  }
}

/**
 * Puts what a run's trainer has read into the table of exposures whenever a checkpoint is reported, so that nobody who asks later waits for it. Only time
 * depends on it: what fails is logged, and made up for at the next checkpoint, or by whoever asks.
 */
async function keepExposures(runtime: Runtime, run: RunConfig): Promise<Service> {
  const { kafka, codec, log } = runtime
  const topic = runTopics(run.name).progress.name
  const closing = new AbortController()
  // Of checkpoints that come meanwhile the last one has what the others have.
  let isDue = false
  let keeping: Promise<void> | undefined
  const keep = async () => {
    for (; isDue && !closing.signal.aborted; ) {
      isDue = false
      try {
        await keepUntilNow(runtime, run, closing.signal)
      } catch (error) {
        if (closing.signal.aborted) break
        log.warn({ err: error, run: run.name }, 'what was read is not kept yet; the next checkpoint tries again')
      }
    }
    keeping = undefined
  }
  const due = () => {
    isDue = true
    keeping ??= keep()
  }

  const ends = await kafka.endOffsets(topic)
  const consumer = await kafka.consume({
    groupId: ephemeralGroup(groupNamed('exposures', run.name)),
    topics: [topic],
    startOffset: (_topic, partition) => ends[partition] ?? 0,
    onBatch: async (records) => {
      for (const { value } of records) {
        const decoded = value === null ? undefined : await readable(() => codec.decode(value))
        if (decoded?.record === Progress.name && (decoded.value as Progress).checkpoint !== null) due()
      }
    },
    onFailure: (error) => log.warn({ err: error, topic }, 'what is read from now on is looked up when somebody asks'),
  })
  // What was reported while nobody kept it.
  due()
  return {
    name: `exposures of ${run.name}`,
    close: async () => {
      closing.abort()
      await consumer.close()
      await keeping
    },
  }
}

async function keepUntilNow(runtime: Runtime, run: RunConfig, signal: AbortSignal): Promise<void> {
  const training = await readTraining(runtime, run.name, await runtime.kafka.topicNames())
  if (checkpointsOf(training).length === 0) return
  const onProgress = () => signal.throwIfAborted()
  const inputs = { runtime, run, training, selections: selectionsOf(runtime), onProgress }
  await exposuresTo(inputs, checkpointMeant(training, run.name))
}
