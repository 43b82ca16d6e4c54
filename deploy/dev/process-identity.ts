import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Identifies a process, unlike a number that may be reused. */
export interface ProcessIdentity {
  pid: number
  /** When it started, in the system's format: opaque, compared for equality. */
  started: string
}

/** When the process started, or undefined if there is none (or only its unreaped remains). */
export function processStart(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      // Field 2 is the name in brackets, which may contain anything; after it come the state and, 20th, the start in ticks since boot.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      if (fields[0] === 'Z' || fields[0] === 'X') return undefined
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${fields[19]}`
    }
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return text.trim() || undefined
  } catch {
    return undefined
  }
}

export function identityOf(pid: number): ProcessIdentity {
  return { pid, started: processStart(pid) ?? 'gone' }
}

/** Whether this very process still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return processStart(identity.pid) === identity.started
}
