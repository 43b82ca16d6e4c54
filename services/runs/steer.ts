import { randomUUID } from 'node:crypto'
import { Steering } from '../../schemas/index.ts'
import { steer } from '../../topologies/rounds/steering.ts'
import type { Runtime } from '../connections/connections.ts'
import type { Clock } from '../runtime/clock.ts'
import { WinnowError } from '../runtime/errors.ts'
import { readChanges, recordChange } from './actor-changes.ts'
import { checkControl, runnable } from './registry.ts'

/**
 * Records how somebody wants a live run's selections to be guarded. The console takes it at the opening of a round, which records it; until then it waits, and
 * the run goes on as it is.
 * @throws WinnowError CONFIGURATION if there is no such run, it is over or a shadow, the guards could not hold together with those that it has, or a loss
 * is held against no recorded run
 */
export async function steerRun(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  wanted: Omit<Steering, 'id' | 'recordedMs'>,
  clock: Clock,
): Promise<Steering> {
  const { run } = await runnable(runtime, wanted.run)
  if (run.shadowOf !== undefined)
    throw new WinnowError('CONFIGURATION', `${run.name} is a shadow, which keeps its own settings`, {
      hint: `Another one with other guards can be recorded: winnow run shadow ${run.shadowOf} --with FILE.`,
    })
  const against = wanted.otherBound?.run ?? null
  if (against !== null) await checkControl(runtime, run.name, against)
  const { wanted: after } = await readChanges(runtime, run)
  const steering: Steering = { ...wanted, id: randomUUID(), recordedMs: clock() }
  const steered = steer(after, steering)
  if ('problems' in steered)
    throw new WinnowError(
      'CONFIGURATION',
      `run ${run.name} cannot be steered so: ${steered.problems.map(({ message }) => message).join('; ')}`,
      { hint: `Its guards, and those that wait: winnow run show ${run.name}.` },
    )
  await recordChange(runtime, run, Steering, steering)
  return steering
}
