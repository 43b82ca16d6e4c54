import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Creates a folder and its missing parents. Node's own `recursive: true` never ends where the file system claims that an existing folder does
 * not exist (/proc, some network mounts).
 * @returns the topmost folder created; undefined if all existed
 * @throws the system's error, which names the folder
 */
export function makeFolder(path: string): string | undefined {
  const folder = resolve(path)
  const found = statSync(folder, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return undefined
  const above = dirname(folder)
  const made = found === undefined && above !== folder ? makeFolder(above) : undefined
  try {
    mkdirSync(folder)
  } catch (error) {
    // Another process was faster.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw error
  }
  return made ?? folder
}
