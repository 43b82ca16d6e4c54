import type { Run, RunLife } from '../../schemas/index.ts'
import { type RunConfig, recordedConfig } from '../../topologies/run-config.ts'
import { selectionVersion } from '../../topologies/selection/version.ts'
import type { Config } from '../config/config.ts'
import type { Runtime } from '../connections/connections.ts'
import { type Model, modelResources, openModel } from '../model/model.ts'
import { type ErrorCode, WinnowError } from '../runtime/errors.ts'
import { closeAll, type Service } from '../runtime/service.ts'
import { systemFailure } from '../runtime/system-failure.ts'
import { type RunHooks, startInfluence, startRunStations, startShadowStations, startTrainer } from './run.ts'
import { followRuns } from './run-list.ts'

export interface RunHostHooks {
  /** The machine resources that rewards may use. */
  readonly influence?: Config['influence']
  /** A failure that concerns more than one run: all of them end. */
  readonly onFailure: (error: unknown) => void
  /** A failure that concerns one run, whose services are closed: the others go on. Default: `onFailure`. */
  readonly onRunFailure?: (run: string, error: unknown) => void
  readonly hooksOf?: (run: RunConfig) => Omit<RunHooks, 'onFailure'>
  /** Starts the trainer of a run. Default: the reference trainer. */
  readonly startTrainer?: typeof startTrainer
  /** Starts what runs beside the stations of a run, and ends with them; not asked about a shadow. */
  readonly startBeside?: (run: RunConfig) => Promise<Service[]>
  /** A run's trainer has made its last step. */
  readonly onDone?: (run: string) => void
  /** The services of a run have started, at first or after a pause. */
  readonly onStarted?: (run: RunConfig, services: readonly Service[]) => void
  /** The services of a run are closed because the log now says so. */
  readonly onStopped?: (run: string, life: RunLife | 'deleted') => void
  /** Which runs; default: all. */
  readonly only?: ReadonlySet<string>
  /** Asked before a run is started: one that is done is not started again. Default: every run is. */
  readonly isDone?: (record: Run) => Promise<boolean>
  /** Which parts of a run run here. `stations` are influence worker, actors and console, `influence` is a further worker. Default: everything. */
  readonly parts?: readonly ('stations' | 'influence' | 'trainer')[]
}

/**
 * Runs the recorded runs in this process, including those recorded while it is up: influence worker, actors, console and reference trainer. An
 * interrupted run resumes where it was; a paused one waits until it is resumed; one that has ended or was deleted is closed; a replay has
 * nothing to run, but a shadow has, which follows another run. A run whose own files are at fault ends alone.
 */
export async function startRunHost(runtime: Runtime, hooks: RunHostHooks): Promise<Service> {
  await using starting = new AsyncDisposableStack()
  const { only, parts = ['stations', 'trainer'] } = hooks
  const services = new Map<string, Service[]>()
  const ending: Promise<void>[] = []
  /** Configurations by run: until a run is paused or removed it is started once, whether or not it fails. */
  const started = new Map<string, string>()
  const refused = new Set<string>()
  const models = new Map<string, Promise<Model>>()
  // A model that could not be opened has already failed its run.
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
    model.catch(() => models.delete(folder))
    return model
  }

  const failed = (run: string, error: unknown): void => {
    if (hooks.onRunFailure === undefined || !ofItsOwn(error)) {
      hooks.onFailure(error)
      return
    }
    const own = services.get(run)
    services.delete(run)
    // Only the first failure is reported; later ones follow from it.
    if (own === undefined) return
    hooks.onRunFailure(run, error)
    ending.push(
      closeAll(own).catch((cause: unknown) => runtime.log.warn({ err: cause, run }, 'closing a run that failed')),
    )
  }

  async function startRun(record: Run, runs: ReadonlyMap<string, Run>): Promise<void> {
    const { run: name } = record
    const mine: Service[] = []
    services.set(name, mine)
    const run = recordedConfig(record)
    const own = {
      ...hooks.hooksOf?.(run),
      ...(workers !== undefined && { influenceWorkers: workers }),
      onFailure: (error: unknown) => failed(name, error),
    }
    if (run.shadowOf !== undefined) {
      if (parts.includes('stations'))
        mine.push(...(await startShadowStations(runtime, run, leaderOf(run.name, run.shadowOf, runs), own)))
      return await settle(run, mine)
    }
    const model = await modelOf(run.model)
    if (parts.includes('stations')) {
      mine.push(...(await startRunStations(runtime, run, model, own)))
      mine.push(...((await hooks.startBeside?.(run)) ?? []))
    }
    if (parts.includes('influence')) mine.push(...(await startInfluence(runtime, run, model, own)))
    if (parts.includes('trainer') && services.get(name) === mine) {
      const trainer = await (hooks.startTrainer ?? startTrainer)(runtime, run, model, own)
      mine.push(trainer)
      trainer.done.then(
        () => hooks.onDone?.(name),
        () => {},
      )
    }
    await settle(run, mine)
  }

  async function settle(run: RunConfig, mine: Service[]): Promise<void> {
    // It failed while it was starting.
    if (services.get(run.name) !== mine) await closeAll(mine)
    else hooks.onStarted?.(run, mine)
  }

  const isWanted = (record: Run): boolean => {
    const { run, replayOf, life, selectionVersion: recorded } = record
    if (life !== 'active' || (replayOf !== null && recordedConfig(record).shadowOf === undefined)) return false
    if (recorded === selectionVersion) return true
    if (!refused.has(run))
      runtime.log.error(
        { run, selectionVersion: recorded },
        `the run selects by another version of SELECTION.md than ${selectionVersion}: it is not run here`,
      )
    refused.add(run)
    return false
  }

  async function goBy(runs: ReadonlyMap<string, Run>): Promise<void> {
    const mine = [...runs.values()].filter(({ run }) => only === undefined || only.has(run))
    const wanted = new Map(mine.filter(isWanted).map((run) => [run.run, run]))
    for (const [name, config] of [...started]) {
      if (wanted.get(name)?.config === config) continue
      started.delete(name)
      const own = services.get(name) ?? []
      services.delete(name)
      await closeAll(own)
      hooks.onStopped?.(name, runs.get(name)?.life ?? 'deleted')
    }
    for (const [name, run] of wanted) {
      if (started.has(name)) continue
      started.set(name, run.config)
      if (await hooks.isDone?.(run)) continue
      try {
        await startRun(run, runs)
      } catch (error) {
        if (!ofItsOwn(error)) throw error
        failed(name, error)
      }
    }
  }

  const follower = await followRuns(runtime, 'run host', goBy, hooks.onFailure)
  starting.defer(() => follower.close())
  const running = starting.move()
  return { name: 'run host', close: () => running.disposeAsync() }
}

function leaderOf(shadow: string, leader: string, runs: ReadonlyMap<string, Run>): RunConfig {
  const record = runs.get(leader)
  if (record !== undefined) return recordedConfig(record)
  throw new WinnowError('CONFIGURATION', `${shadow} follows the run ${leader}, which is not there`, {
    hint: `Delete it: winnow run delete ${shadow}.`,
  })
}

const codesOfOneRun = new Set<ErrorCode>([
  'BAD_DATA',
  'CHECKPOINT_INCOMPLETE',
  'CONFIGURATION',
  // Another process has taken over this run.
  'FENCED',
  'MODEL_UNUSABLE',
  'NORMALIZATION',
  'POSITION_REFUSED',
])
/** Whether an error concerns only a run's own files, configuration and processes, not what all runs depend on. */
const ofItsOwn = (error: unknown): boolean => {
  const known = error instanceof WinnowError ? error : systemFailure(error)
  return known !== undefined && codesOfOneRun.has(known.code)
}
