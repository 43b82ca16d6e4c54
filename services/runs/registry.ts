import { Run, type RunLife, topics } from '../../schemas/index.ts'
import { type RunConfig, recordedConfig, runConfigJson } from '../../topologies/run-config.ts'
import { checkSelectionVersion, selectionVersion } from '../../topologies/selection/version.ts'
import { createRunTopics, type Runtime } from '../connections/connections.ts'
import { RunList } from '../host/run-list.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { WinnowError } from '../runtime/errors.ts'
import { nearest } from '../terminal/nearest.ts'

/** Creates the topics of a run and records it. Recording the same run again changes nothing; another configuration under its name is refused. */
export async function submitRun(
  runtime: Runtime,
  run: RunConfig,
  replayOf: string | null = null,
  clock: Clock = systemClock,
): Promise<void> {
  const known = await recordIfAny(runtime, run.name)
  const config = runConfigJson(run)
  if (known !== undefined && known.config !== config) {
    throw new WinnowError('CONFIGURATION', `run ${run.name} exists with another configuration`, {
      hint: `A run is never changed: give the new one another name, or delete the other (winnow run delete ${run.name}). 'winnow run show' says how they differ.`,
    })
  }
  if (known !== undefined) checkSelectionVersion(known)
  if (known !== undefined && known.replayOf !== replayOf) {
    const what = known.replayOf === null ? 'a run of its own' : `a replay of ${known.replayOf}`
    throw new WinnowError('CONFIGURATION', `${run.name} exists and is ${what}`, { hint: 'Choose another name.' })
  }
  const against = run.selection.guards?.other?.against
  // A replay has what was recorded of the other run.
  if (known === undefined && typeof against === 'string' && replayOf === null)
    await checkControl(runtime, run.name, against)
  // Here, since its services may have no permission to.
  await createRunTopics(runtime.kafka, run)
  if (known !== undefined) return
  const recorded = { run: run.name, config, replayOf, selectionVersion, life: 'active', recordedMs: clock() } as const
  await write(runtime, run.name, recorded)
}

/** That losses of a run can be held against another one. @throws WinnowError CONFIGURATION if that is not recorded, or is the run itself */
export async function checkControl(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  run: string,
  against: string,
): Promise<void> {
  if (against === run)
    throw new WinnowError('CONFIGURATION', `the loss on other text of ${run} cannot be held against that of ${run}`, {
      hint: 'Name a control run, or nothing: then it is held against the lowest that the run has reported.',
    })
  await recordOf(runtime, against)
}

/** All recorded runs that can be read, by name. */
export const listRuns = async (runtime: Pick<Runtime, 'kafka' | 'codec'>): Promise<Map<string, Run>> =>
  (await RunList.read(runtime)).runs

/** Of all runs, those too that cannot be read. */
export async function namesTaken(runtime: Pick<Runtime, 'kafka' | 'codec'>): Promise<string[]> {
  const { runs, unreadable } = await RunList.read(runtime)
  return [...runs.keys(), ...unreadable.keys()]
}

/** Undefined if there is none of that name. @throws WinnowError CONFIGURATION if it cannot be read */
export async function recordIfAny(runtime: Pick<Runtime, 'kafka' | 'codec'>, name: string): Promise<Run | undefined> {
  return recordAmong(await RunList.read(runtime), name)
}

function recordAmong({ runs, unreadable }: RunList, name: string): Run | undefined {
  const problem = unreadable.get(name)
  if (problem !== undefined) throw problem
  return runs.get(name)
}

/** @throws WinnowError CONFIGURATION if there is none of that name, or it cannot be read */
export async function recordOf(runtime: Pick<Runtime, 'kafka' | 'codec'>, name: string): Promise<Run> {
  const list = await RunList.read(runtime)
  const run = recordAmong(list, name)
  if (run !== undefined) return run
  const { runs } = list
  const names = [...runs.keys()]
  throw new WinnowError('CONFIGURATION', `there is no run ${name}`, {
    hint: nearest(name, names) ?? `Runs: ${names.join(', ') || 'none'}.`,
  })
}

/** @throws WinnowError CONFIGURATION if there is none of that name, or it selects by another version of SELECTION.md */
export async function runNamed(runtime: Pick<Runtime, 'kafka' | 'codec'>, name: string): Promise<RunConfig> {
  const run = await recordOf(runtime, name)
  checkSelectionVersion(run)
  return recordedConfig(run)
}

/**
 * A run whose services may be started; if it is paused, they wait.
 * @throws WinnowError CONFIGURATION if there is no such run, it is a replay that is no shadow, or it has ended
 */
export async function runnable(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  name: string,
): Promise<{ run: RunConfig; life: RunLife }> {
  const record = await recordOf(runtime, name)
  checkSelectionVersion(record)
  const run = recordedConfig(record)
  const { life, replayOf } = record
  if (replayOf !== null && run.shadowOf === undefined)
    throw new WinnowError('CONFIGURATION', `${name} is a replay of ${replayOf}: it has nothing to run`)
  if (life === 'ended' || life === 'archived') throw hasEnded(name)
  return { run, life }
}

const hasEnded = (name: string): WinnowError =>
  new WinnowError('CONFIGURATION', `run ${name} has ended, which is final`, {
    hint: 'Record its configuration under another name.',
  })

/** Allowed transitions: an end is final. */
const follows: Readonly<Record<RunLife, readonly RunLife[]>> = {
  active: ['paused', 'ended', 'archived'],
  paused: ['active', 'ended', 'archived'],
  ended: ['archived'],
  archived: [],
}

/**
 * Records what somebody wants of a run; its services, wherever they run, act on that. Repeating it changes nothing.
 * @throws WinnowError CONFIGURATION if there is no such run, or it has ended
 */
export async function setLife(runtime: Pick<Runtime, 'kafka' | 'codec'>, name: string, life: RunLife): Promise<void> {
  const run = await recordOf(runtime, name)
  if (run.life === life || (life === 'ended' && run.life === 'archived')) return
  if (run.replayOf !== null && recordedConfig(run).shadowOf === undefined && life !== 'archived')
    throw new WinnowError('CONFIGURATION', `${name} is a replay of ${run.replayOf}: nothing of it runs`, {
      hint: `Archive or delete it: winnow run delete ${name}.`,
    })
  if (!follows[run.life].includes(life)) throw hasEnded(name)
  await write(runtime, name, { ...run, life })
}

/** Removes a run from the list: its name is free again. */
export const forgetRun = (runtime: Pick<Runtime, 'kafka' | 'codec'>, name: string): Promise<void> =>
  write(runtime, name, null)

async function write({ kafka, codec }: Pick<Runtime, 'kafka' | 'codec'>, name: string, run: Run | null): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const producer = opened.adopt(await kafka.producer(), (one) => one.close())
  await producer.send([{ topic: topics.runs.name, key: name, value: run === null ? null : codec.encode(Run, run) }])
}
