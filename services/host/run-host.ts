import { Run, topics } from '../../schemas/index.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import { selectionVersion } from '../../topologies/selection/version.ts'
import type { Config } from '../config/config.ts'
import type { Runtime } from '../connections/connections.ts'
import { type Model, modelResources, openModel } from '../model/model.ts'
import { readable } from '../runtime/codec.ts'
import { ephemeralGroup, groupNamed } from '../runtime/consumer-groups.ts'
import { type ErrorCode, WinnowError } from '../runtime/errors.ts'
import { closeAll, type Service } from '../runtime/service.ts'
import { systemFailure } from '../runtime/system-failure.ts'
import { type RunHooks, startRunStations, startTrainer } from './run.ts'

export interface RunHostHooks {
  /** What computing rewards may take of this machine. */
  readonly influence?: Config['influence']
  /** What concerns more than one run: then all of them end. */
  readonly onFailure: (error: unknown) => void
  /** What concerns one run alone, whose services are closed: the others go on. Left out: as `onFailure`. */
  readonly onRunFailure?: (run: string, error: unknown) => void
  readonly hooksOf?: (run: RunConfig) => Omit<RunHooks, 'onFailure'>
  /** A run's trainer has made its last step. */
  readonly onDone?: (run: string) => void
}

/**
 * Runs every recorded run in this process: influence worker, actors, console and reference trainer, also of runs that are recorded
 * while it runs. A run that was interrupted goes on where it was; a replay has nothing to run. A run whose own files are at fault ends by
 * itself.
 */
export async function startRunHost(runtime: Runtime, hooks: RunHostHooks): Promise<Service> {
  await using starting = new AsyncDisposableStack()
  const services = new Map<string, Service[]>()
  const ending: Promise<void>[] = []
  const started = new Set<string>()
  const models = new Map<string, Promise<Model>>()
  // A model that could not be opened has failed its run already.
  starting.defer(async () => {
    await Promise.allSettled([...models.values()].map(async (model) => (await model).close()))
  })
  starting.defer(async () => {
    await closeAll([...services.values()].flat())
    await Promise.all(ending)
  })
  const workers = hooks.influence?.workers
  const resources = hooks.influence && modelResources(hooks.influence)
  const modelOf = (folder: string): Promise<Model> => {
    const model = models.get(folder) ?? openModel({ graphs: folder, ...resources })
    models.set(folder, model)
    return model
  }

  const failed = (run: string, error: unknown): void => {
    if (hooks.onRunFailure === undefined || !ofItsOwn(error)) {
      hooks.onFailure(error)
      return
    }
    const own = services.get(run)
    services.delete(run)
    // The first failure is the cause, what follows from it is not worth a line.
    if (own === undefined) return
    hooks.onRunFailure(run, error)
    ending.push(
      closeAll(own).catch((cause: unknown) => runtime.log.warn({ err: cause, run }, 'closing a run that failed')),
    )
  }

  async function startRun(name: string, config: string): Promise<void> {
    const mine: Service[] = []
    services.set(name, mine)
    const run = parseRunConfig(JSON.parse(config))
    const own = {
      ...hooks.hooksOf?.(run),
      ...(workers !== undefined && { influenceWorkers: workers }),
      onFailure: (error: unknown) => failed(name, error),
    }
    const model = await modelOf(run.model)
    mine.push(...(await startRunStations(runtime, run, model, own)))
    if (services.get(name) === mine) {
      const trainer = await startTrainer(runtime, run, model, own)
      mine.push(trainer)
      trainer.done.then(
        () => hooks.onDone?.(name),
        () => {},
      )
    }
    // It failed while it was started.
    if (services.get(name) !== mine) await closeAll(mine)
  }

  const consumer = await runtime.kafka.consume({
    groupId: ephemeralGroup(groupNamed('run host')),
    topics: [topics.runs.name],
    startOffset: () => 0,
    onBatch: async (records) => {
      for (const { topic, partition, offset, value } of records) {
        if (value === null) continue
        const recorded = await readable(() => runtime.codec.decodeAs(Run, value))
        if (recorded === undefined) {
          runtime.log.error({ topic, partition, offset }, 'no run: passed over')
          continue
        }
        const { run, config, replayOf } = recorded
        if (replayOf !== null || started.has(run)) continue
        if (recorded.selectionVersion !== selectionVersion) {
          runtime.log.error(
            { run, selectionVersion: recorded.selectionVersion },
            `the run selects by another version of SELECTION.md than ${selectionVersion}: it is not run here`,
          )
          continue
        }
        started.add(run)
        try {
          await startRun(run, config)
        } catch (error) {
          if (!ofItsOwn(error)) throw error
          failed(run, error)
        }
      }
    },
    onFailure: hooks.onFailure,
  })
  starting.defer(() => consumer.close())
  const running = starting.move()
  return { name: 'run host', close: () => running.disposeAsync() }
}

const codesOfOneRun = new Set<ErrorCode>([
  'BAD_DATA',
  'CHECKPOINT_INCOMPLETE',
  'CONFIGURATION',
  'MODEL_UNUSABLE',
  'NORMALIZATION',
  'POSITION_REFUSED',
])
/** Whether an error says something of a run's own files and configuration, and nothing of what all runs stand on. */
const ofItsOwn = (error: unknown): boolean => {
  const known = error instanceof WinnowError ? error : systemFailure(error)
  return known !== undefined && codesOfOneRun.has(known.code)
}
