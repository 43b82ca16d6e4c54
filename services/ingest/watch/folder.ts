import { lstat, realpath, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { WinnowError } from '../../runtime/errors.ts'
import { isThereAnyway, type LeftOutEntry, rootsOf, within } from '../folder.ts'
import { standingOf } from '../names.ts'
import { leadsOut } from '../source-files.ts'
import type { FileVersion } from './settling.ts'

export interface FolderWatch {
  /** Rejects when watching fails for good. */
  readonly failed: Promise<never>
  close(): Promise<void>
}

export interface FolderEvents {
  /** A file of rows that is there, new or changed, by its name within the folder. */
  touched(name: string): void
  /** Something that is there and is not ingested; may be told more than once. */
  leftOut(entry: LeftOutEntry): void
  /** A part of the folder that cannot or must not be read. */
  refused(error: Error): void
}

export interface FolderOptions {
  /** Check every second instead of relying on notifications. */
  readonly poll: boolean
  /** Folders that links may lead into. */
  readonly followLinks?: readonly string[]
}

const pollEveryMs = 1000

/** Watches the files in a folder and below, including those already there. Linked folders are watched as far as links may be followed. */
export function watchFolder(folder: string, options: FolderOptions, events: FolderEvents): FolderWatch {
  const { promise: failed, reject } = Promise.withResolvers<never>()
  // Whoever awaits it gets the error; nobody may be waiting when it comes.
  failed.catch(() => {})
  const watchers: FSWatcher[] = []
  /** Real paths of linked folders that are watched. */
  const linked: string[] = []

  const follow = async (path: string, name: string) => {
    const real = await realpath(path)
    const roots = await rootsOf(folder, options.followLinks ?? [])
    if (!roots.some((root) => within(root, real))) return events.refused(leadsOut([path], folder))
    if (isThereAnyway(real, await realpath(folder), linked)) return events.leftOut({ name, path, why: 'linked-twice' })
    linked.push(real)
    watchBelow(real, `${name}/`)
  }
  const added = async (path: string, name: string) => {
    const standing = standingOf(name)
    const folderLink = (await lstat(path)).isSymbolicLink() && (await stat(path)).isDirectory()
    if (folderLink) await follow(path, name)
    else if (standing === 'rows') events.touched(name)
    else if (standing !== 'hidden') events.leftOut({ name, path, why: standing })
  }
  /** @param above prefix of the names found, if the folder lies within the one being watched */
  const watchBelow = (root: string, above: string) => {
    const nameOf = (path: string) => relative(root, path).split(sep).join('/')
    const watcher = watch(root, {
      // Links to folders are followed here, where the limits of that are known.
      followSymlinks: false,
      usePolling: options.poll,
      interval: pollEveryMs,
      binaryInterval: pollEveryMs,
      ignored: (path) => {
        const name = nameOf(path)
        const standing = name === '' ? 'other' : standingOf(name)
        if (standing === 'temporary') events.leftOut({ name: above + name, path, why: 'temporary' })
        return standing === 'hidden' || standing === 'temporary'
      },
    })
    watcher.on('add', (path) => {
      // A broken link, or a file that is gone by now.
      added(path, above + nameOf(path)).catch(() => {})
    })
    watcher.on('change', (path) => {
      if (standingOf(nameOf(path)) === 'rows') events.touched(above + nameOf(path))
    })
    watcher.on('unlinkDir', (path) => {
      if (nameOf(path) === '' && above === '') reject(new WinnowError('CONFIGURATION', `${folder} is gone`))
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
    watchers.push(watcher)
  }

  watchBelow(folder, '')
  return { failed, close: async () => void (await Promise.all(watchers.map((watcher) => watcher.close()))) }
}

/** Null: it is gone. */
export async function versionOf(folder: string, name: string): Promise<FileVersion | null> {
  try {
    const { size, mtimeMs } = await stat(join(folder, name))
    return { byteLength: size, modifiedMs: mtimeMs }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    // Whoever reads it reports why it cannot be read.
    return { byteLength: -1, modifiedMs: 0 }
  }
}
