import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Resident memory of a process and its descendants, in bytes, by program name. */
export type Memory = Readonly<Record<string, number>>

/** undefined if there is no such process, or no `ps`. */
export async function memoryOf(pid: number): Promise<Memory | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,rss=,comm='])
    return memoryIn(stdout, pid)
  } catch {
    return undefined
  }
}

/** @param listing lines of pid, parent, resident kilobytes, program */
export function memoryIn(listing: string, root: number): Memory | undefined {
  const processes = listing.split('\n').flatMap((line) => {
    const [, pid, parent, kilobytes, program] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.+)$/.exec(line) ?? []
    return pid === undefined
      ? []
      : [{ pid: Number(pid), parent: Number(parent), bytes: Number(kilobytes) * 1024, program: nameOf(program!) }]
  })
  if (!processes.some(({ pid }) => pid === root)) return undefined
  const mine = new Set([root])
  // Parents may be listed after their children.
  for (let before = 0; before !== mine.size; ) {
    before = mine.size
    for (const { pid, parent } of processes) if (mine.has(parent)) mine.add(pid)
  }
  const memory: Record<string, number> = {}
  for (const { pid, bytes, program } of processes)
    if (mine.has(pid) && program !== 'ps') memory[program] = (memory[program] ?? 0) + bytes
  return memory
}

/** Node names its main thread; macOS gives the whole path. */
const nameOf = (program: string): string => {
  const name = program.trim().split('/').at(-1)!
  return name === 'MainThread' || name.startsWith('node') ? 'winnow' : name
}
