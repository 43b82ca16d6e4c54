import { stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { watch } from 'chokidar'
import { WinnowError } from '../../runtime/errors.ts'
import { isRowFile } from '../source-files.ts'
import type { FileVersion } from './settling.ts'

export interface FolderWatch {
  /** Rejects when nothing can be seen any more. */
  readonly failed: Promise<never>
  close(): Promise<void>
}

export interface FolderEvents {
  /** A file of rows that is there, new or changed, by its name within the folder. */
  touched(name: string): void
  /** A part of the folder that cannot be looked into. */
  refused(error: Error): void
}

const pollEveryMs = 1000

/** Programs that write many files put unfinished ones there (Spark), or under such names (editors, downloads). */
const temporary = /^(_temporary$|~)/

/** Whether a file is taken, by its name within the folder: as without watching, less what is temporary. */
export const isWatched = (name: string): boolean =>
  isRowFile(name) && !name.split('/').some((part) => temporary.test(part))

/** Tells of the files in a folder and below, those that are there first. @param poll look again every second instead of being told */
export function watchFolder(folder: string, poll: boolean, events: FolderEvents): FolderWatch {
  const { promise: failed, reject } = Promise.withResolvers<never>()
  // Whoever waits for it gets the error; nobody may be waiting when it comes.
  failed.catch(() => {})
  const nameOf = (path: string) => relative(folder, path).split(sep).join('/')
  const watcher = watch(folder, {
    // As a folder is read without watching: links to folders are not followed, links to files are.
    followSymlinks: false,
    usePolling: poll,
    interval: pollEveryMs,
    binaryInterval: pollEveryMs,
    ignored: (path, stats) => {
      const name = nameOf(path)
      return name !== '' && !isWatched(stats?.isFile() ? name : `${name}/any.jsonl`)
    },
  })
  const touched = (path: string) => {
    const name = nameOf(path)
    if (isWatched(name)) events.touched(name)
  }
  watcher.on('add', touched).on('change', touched)
  watcher.on('unlinkDir', (path) => {
    if (nameOf(path) === '') reject(new WinnowError('CONFIGURATION', `${folder} is gone`))
  })
  watcher.on('error', (error) => {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ENOSPC' && code !== 'EMFILE') return events.refused(error as Error)
    reject(
      new WinnowError('CONFIGURATION', `cannot watch ${folder}: ${message}`, {
        hint: 'raise the limit of the operating system (fs.inotify.max_user_watches on Linux), or watch with --poll',
        cause: error,
      }),
    )
  })
  return { failed, close: () => watcher.close() }
}

/** Null: it is gone. */
export async function versionOf(folder: string, name: string): Promise<FileVersion | null> {
  try {
    const { size, mtimeMs } = await stat(join(folder, name))
    return { byteLength: size, modifiedMs: mtimeMs }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    // Whoever reads it says why it cannot be read.
    return { byteLength: -1, modifiedMs: 0 }
  }
}
