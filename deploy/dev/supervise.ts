import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { WinnowError } from '../../services/runtime/errors.ts'
import type { Log } from '../../services/runtime/log.ts'
import type { Child } from './child.ts'

/** How often a program that ends is restarted, before something is wrong that a restart does not fix. */
const restartsMax = 3
/** Failures further apart than this count as first ones. */
const windowMs = 600_000
const delayMsFirst = 500
const diskFull = /No space left on device|Disk quota exceeded|not enough space/i

export interface Supervision {
  readonly log: Log
  readonly clock: () => number
  readonly sleep: (ms: number) => Promise<unknown>
  /** Called when it has ended for good. */
  readonly onFailure: (error: WinnowError) => void
}

export interface Supervised {
  /** The program as it runs now, or last ran. */
  readonly child: Child
  stop(): Promise<void>
}

/**
 * Keeps a program running: if it ends, it is restarted up to three times in ten minutes, after 0.5, 1 and 2 s. If it ends again, or because
 * the disk is full, `onFailure` is called with the end of its log.
 */
export function supervise(
  first: Child,
  start: () => Promise<Child>,
  { log, clock, sleep, onFailure }: Supervision,
): Supervised {
  let child = first
  let stopping = false
  let endsMs: number[] = []

  const watch = async (): Promise<void> => {
    for (;;) {
      await child.ended
      if (stopping) return
      const { name, logFile } = child
      const end = logEnd(logFile)
      if (diskFull.test(end)) {
        const message = `the ${name} ended: the disk of its data folder is full`
        onFailure(
          new WinnowError('STORAGE_FULL', message, { hint: `Free some space and start again; its log: ${logFile}` }),
        )
        return
      }
      endsMs = [...endsMs.filter((atMs) => clock() - atMs < windowMs), clock()]
      if (endsMs.length > restartsMax) {
        const lines = end.trim().split('\n').slice(-3).join(' | ')
        const message = `the ${name} ended ${endsMs.length} times in ten minutes: ${lines}`
        onFailure(new WinnowError('UNREACHABLE', message, { hint: `Its full log: ${logFile}` }))
        return
      }
      log.error({ logFile, restart: endsMs.length, of: restartsMax }, `the ${name} ended unexpectedly: restarting it`)
      await sleep(delayMsFirst * 2 ** (endsMs.length - 1))
      if (stopping) return
      try {
        child = await start()
        log.warn({ program: child.identity.pid }, `the ${name} is running again`)
      } catch (error) {
        // It has ended again: the next iteration counts it.
        log.error({ err: error }, `the ${name} could not be restarted`)
      }
      if (stopping) await child.stop()
    }
  }
  const watching = watch()

  return {
    get child() {
      return child
    },
    stop: async () => {
      stopping = true
      await child.stop()
      await watching
    },
  }
}

/** The last 64 KiB of a log: a Java stack trace may be half of it. */
function logEnd(file: string): string {
  try {
    const descriptor = openSync(file, 'r')
    try {
      const { size } = fstatSync(descriptor)
      const bytes = Buffer.alloc(Math.min(size, 65_536))
      readSync(descriptor, bytes, 0, bytes.length, size - bytes.length)
      return bytes.toString('utf8')
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return ''
  }
}
