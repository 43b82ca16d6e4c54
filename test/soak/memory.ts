import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Resident memory of a process; undefined: it has ended. */
export function residentMiB(pid: number): number | undefined {
  if (process.platform === 'linux') {
    try {
      return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
    } catch {
      return undefined
    }
  }
  const { status, stdout } = spawnSync('ps', ['-o', 'rss=', '-p', `${pid}`], { encoding: 'utf8' })
  return status === 0 ? Number(stdout.trim()) / 1024 : undefined
}
