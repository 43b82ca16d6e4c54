import { systemClock } from '../runtime/clock.ts'
import { ProgressLine } from '../terminal/progress.ts'
import type { CliContext } from './context.ts'

/** Progress of putting what was read into the table of exposures. */
export function lookingUp({ stderr }: CliContext) {
  const line = new ProgressLine(stderr, systemClock)
  return {
    tick: (done: number, total: number) =>
      line.tick(() => ({
        share: done / total,
        parts: [`looking up ${total.toLocaleString('en')} documents that were read`],
      })),
    clear: () => line.clear(),
  }
}
