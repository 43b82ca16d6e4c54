import { Run, topics } from '../../schemas/index.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import { selectionVersion } from '../../topologies/selection/version.ts'
import type { Config } from '../config/config.ts'
import type { Runtime } from '../connections/connections.ts'
import { type Model, modelResources, openModel } from '../model/model.ts'
import { readable } from '../runtime/codec.ts'
import { ephemeralGroup, groupNamed } from '../runtime/consumer-groups.ts'
import { closeAll, type Service } from '../runtime/service.ts'
import { type RunHooks, startRunStations, startTrainer } from './run.ts'

export interface RunHostHooks {
  /** What computing rewards may take of this machine. */
  readonly influence?: Config['influence']
  readonly onFailure: (error: unknown) => void
  readonly hooksOf?: (run: RunConfig) => Omit<RunHooks, 'onFailure'>
  /** A run's trainer has made its last step. */
  readonly onDone?: (run: string) => void
}

/**
 * Runs every recorded run in this process: influence worker, actors, console and reference trainer, also of runs that are recorded
 * while it runs. A run that was interrupted goes on where it was; a replay has nothing to run.
 */
export async function startRunHost(runtime: Runtime, hooks: RunHostHooks): Promise<Service> {
  await using starting = new AsyncDisposableStack()
  const services: Service[] = []
  const started = new Set<string>()
  const models = new Map<string, Promise<Model>>()
  // A model that could not be opened has failed its run already.
  starting.defer(async () => {
    await Promise.allSettled([...models.values()].map(async (model) => (await model).close()))
  })
  starting.defer(() => closeAll(services))
  const workers = hooks.influence?.workers
  const resources = hooks.influence && modelResources(hooks.influence)
  const modelOf = (folder: string): Promise<Model> => {
    const model = models.get(folder) ?? openModel({ graphs: folder, ...resources })
    models.set(folder, model)
    return model
  }

  async function startRun(run: RunConfig): Promise<void> {
    const model = await modelOf(run.model)
    const own = {
      ...hooks.hooksOf?.(run),
      ...(workers !== undefined && { influenceWorkers: workers }),
      onFailure: hooks.onFailure,
    }
    services.push(...(await startRunStations(runtime, run, model, own)))
    const trainer = await startTrainer(runtime, run, model, own)
    services.push(trainer)
    trainer.done.then(
      () => hooks.onDone?.(run.name),
      () => {},
    )
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
        await startRun(parseRunConfig(JSON.parse(config)))
      }
    },
    onFailure: hooks.onFailure,
  })
  starting.defer(() => consumer.close())
  const running = starting.move()
  return { name: 'run host', close: () => running.disposeAsync() }
}
