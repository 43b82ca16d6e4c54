import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WinnowError } from '../../services/runtime/errors.ts'
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.ts'

// Each failed attempt means that another process took or released the lock in between.
const attemptsMax = 20

/**
 * Makes this process the owner of a data folder: two brokers on one folder silently corrupt each other. The lock of a dead process is taken
 * over. Returns the function that unlocks; throws DATA_FOLDER_LOCKED.
 */
export function lockDataFolder(dataFolder: string): () => void {
  const file = join(dataFolder, 'lock.json')
  const own = `${file}.${process.pid}`
  const text = JSON.stringify(identityOf(process.pid))
  // Written aside and linked: the lock appears with its content, or not at all.
  writeFileSync(own, text)
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (link(own, file)) {
        return () => {
          if (read(file) === text) rmSync(file, { force: true })
        }
      }
      const found = read(file)
      if (found === undefined) continue
      const holder = parse(found)
      if (holder && isAlive(holder)) {
        throw new WinnowError(
          'DATA_FOLDER_LOCKED',
          `the data folder ${dataFolder} is in use by process ${holder.pid}`,
          {
            hint: `Stop it (kill ${holder.pid}), or use another folder.`,
          },
        )
      }
      removeStale(file, found)
    }
  } finally {
    rmSync(own, { force: true })
  }
  throw new WinnowError('DATA_FOLDER_LOCKED', `the lock of the data folder ${dataFolder} keeps changing hands`, {
    hint: 'Other processes are starting on it at the same time: start one at a time.',
  })
}

/** Removes the stale lock by renaming, and puts it back if it turns out not to be the stale one. */
function removeStale(file: string, stale: string): void {
  const aside = `${file}.stale.${process.pid}`
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  if (read(aside) !== stale) link(aside, file)
  rmSync(aside, { force: true })
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function parse(text: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(text) as ProcessIdentity
  } catch {
    return undefined
  }
}
