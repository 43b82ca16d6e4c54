import { mkdirSync, rmdirSync, statSync } from 'node:fs'
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

/**
 * Removes a folder and those above it that `makeFolder` made for it, up to the first in which somebody has put something meanwhile.
 * @param made what `makeFolder` returned for this path
 */
export function unmakeFolder(path: string, made: string | undefined): void {
  if (made === undefined) return
  try {
    for (let folder = resolve(path); folder.length >= made.length; folder = dirname(folder)) rmdirSync(folder)
  } catch {
    // It is theirs now, and an empty folder that stays harms nobody.
  }
}
