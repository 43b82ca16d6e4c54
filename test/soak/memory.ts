import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Resident memory of a process; undefined: it has ended. */
export function residentMiB(pid: number): number | undefined {
  if (process.platform === 'linux') {
    try {
      return statusMiB(pid, 'VmRSS')
    } catch {
      return undefined
    }
  }
  const { status, stdout } = spawnSync('ps', ['-o', 'rss=', '-p', `${pid}`], { encoding: 'utf8' })
  return status === 0 ? Number(stdout.trim()) / 1024 : undefined
}

/** The most resident memory that a process has had, since its start or since `5` was written to its clear_refs (proc(5)). On Linux alone. */
export const mostMiB = (pid: number): number => statusMiB(pid, 'VmHWM')

const statusMiB = (pid: number, what: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
