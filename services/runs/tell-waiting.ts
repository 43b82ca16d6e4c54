import type { Runtime } from '../connections/connections.ts'
import type { Service } from '../runtime/service.ts'
import { FollowedRun, membersOf } from './followed-run.ts'
import { recordOf } from './registry.ts'

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
  { kafka, codec, log }: Pick<Runtime, 'kafka' | 'codec' | 'log'>,
  name: string,
  say: (line: string) => void,
  intervalMs = everyMs,
): Service {
  let run: FollowedRun | undefined
  let before = ''
  let unchanged = 0
  const look = async (): Promise<void> => {
    const record = await recordOf({ kafka, codec }, name)
    run ??= new FollowedRun(record)
    run.record = record
    await run.look({ kafka, codec }, new Set(await kafka.topicNames()))
    const { state, waitsFor } = run.state((await membersOf(kafka, [name])).get(name))
    const line = waitsFor === null ? '' : `run ${name} is ${state}: waits for ${waitsFor}`
    unchanged = line === before ? unchanged + 1 : 0
    before = line
    // A connected trainer takes its time.
    const quiet = line === '' || state === 'paused' || (state === 'training' && !line.includes(';'))
    if (!quiet && unchanged % looksBetween === looksBefore) say(line)
  }
  let looking: Promise<void> = Promise.resolve()
  let idle = true
  const timer = setInterval(() => {
    if (!idle) return
    idle = false
    looking = look()
      .catch((error: unknown) => log.debug({ err: error, run: name }, 'what the run waits for could not be seen'))
      .finally(() => {
        idle = true
      })
  }, intervalMs)
  return {
    name: `what ${name} waits for`,
    close: async () => {
      clearInterval(timer)
      await looking
    },
  }
}
