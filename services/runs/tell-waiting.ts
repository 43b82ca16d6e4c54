import type { Runtime } from '../connections/connections.ts'
import type { Service } from '../runtime/service.ts'
import { everyTick } from '../runtime/ticks.ts'
import { FollowedRun, membersOf } from './followed-run.ts'
import { withPreparing } from './preparing.ts'
import { recordOf } from './registry.ts'
import { onlyTrains } from './run-state.ts'

const everyMs = 5000
/** Shorter waits are not reported. */
const looksBefore = 2
/** Reported again after this many looks. */
const looksBetween = 60

/**
 * Logs what a run waits for if it waits longer than some seconds, and again every few minutes. It looks only at the log; failures are ignored
 * and stop nothing.
 */
export function tellWaiting(
  { kafka, codec, log, store }: Pick<Runtime, 'kafka' | 'codec' | 'log' | 'store'>,
  name: string,
  say: (line: string) => void,
  intervalMs = everyMs,
): Service {
  let run: FollowedRun | undefined
  let before = ''
  let unchanged = 0
  const look = async (): Promise<void> => {
    const record = await recordOf({ kafka, codec }, name)
    // Its name may have been deleted and recorded again.
    if (run?.record.recordedMs !== record.recordedMs) run = undefined
    run ??= new FollowedRun(record)
    run.record = record
    await run.look({ kafka, codec }, new Set(await kafka.topicNames()))
    const now = await withPreparing({ store }, run.config, run.state((await membersOf(kafka, [name])).get(name)))
    const line = now.waitsFor === null ? '' : `run ${name} is ${now.state}: waits for ${now.waitsFor}`
    unchanged = line === before ? unchanged + 1 : 0
    before = line
    const quiet = line === '' || now.state === 'paused' || onlyTrains(now)
    if (!quiet && unchanged % looksBetween === looksBefore) say(line)
  }
  let looking: Promise<void> = Promise.resolve()
  const unseen = (error: unknown) => log.debug({ err: error, run: name }, 'what the run waits for could not be seen')
  const stop = everyTick(
    intervalMs,
    () => {
      looking = look().catch(unseen)
      return looking
    },
    unseen,
  )
  return {
    name: `what ${name} waits for`,
    close: async () => {
      stop()
      await looking
    },
  }
}
