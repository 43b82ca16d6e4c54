import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path'
import { standingOf } from './names.ts'

/** An entry of a folder that is not ingested. */
export interface LeftOutEntry {
  /** Within the folder. */
  readonly name: string
  readonly path: string
  readonly why: 'other' | 'temporary' | 'linked-twice'
}

export interface FolderContent {
  /** Files of rows by their names within the folder, in code-unit order, the same on every machine. */
  readonly files: readonly string[]
  readonly leftOut: readonly LeftOutEntry[]
  /** Links that lead out of the allowed roots. */
  readonly outside: readonly string[]
}

/** Whether a path lies in a folder; both as returned by `realpath`. */
export function within(folder: string, path: string): boolean {
  const leads = relative(folder, path)
  return leads !== '..' && !leads.startsWith(`..${sep}`) && !isAbsolute(leads)
}

/**
 * Where links of a folder may lead: into the folder itself, into the roots given, and, for a snapshot in the Hugging Face cache, into its
 * repository, whose files are links to `blobs`.
 */
export async function rootsOf(folder: string, followLinks: readonly string[]): Promise<string[]> {
  const root = await realpath(folder)
  const roots = [root, ...(await Promise.all(followLinks.map((path) => realpath(path))))]
  for (let inner = root; dirname(inner) !== inner; inner = dirname(inner)) {
    if (basename(inner) !== 'snapshots') continue
    const blobs = await stat(join(dirname(inner), 'blobs')).catch(() => null)
    if (blobs?.isDirectory()) roots.push(dirname(inner))
  }
  return roots
}

/** Whether the files of a linked folder are also found without this link; `linked` were followed before. All as returned by `realpath`. */
export function isThereAnyway(real: string, root: string, linked: readonly string[]): boolean {
  const visible = within(root, real) && standingOf(relative(root, real).split(sep).join('/')) !== 'hidden'
  return visible || within(real, root) || linked.some((one) => within(one, real) || within(real, one))
}

/**
 * All entries of a folder and its subfolders, except hidden ones. Links are followed as far as `roots` allow. A linked folder that is also
 * reached another way is not read twice, so loops end.
 */
export async function contentOf(folder: string, roots: readonly string[]): Promise<FolderContent> {
  const files: string[] = []
  const leftOut: LeftOutEntry[] = []
  const outside: string[] = []
  const root = await realpath(folder)
  /** Real paths: what links lead to is not left out, and no linked folder is walked twice. */
  const linkedFiles = new Set<string>()
  const linkedFolders: string[] = []

  const nameOf = (path: string) => relative(folder, path).split(sep).join('/')
  const leave = (path: string, why: LeftOutEntry['why']) => leftOut.push({ name: nameOf(path), path, why })

  const visit = async (path: string, entry: Dirent) => {
    const standing = standingOf(nameOf(path))
    if (standing === 'hidden') return
    if (standing === 'temporary') leave(path, 'temporary')
    else if (entry.isDirectory()) await walk(path)
    else if (entry.isSymbolicLink()) await follow(path, standing === 'rows')
    else if (standing === 'rows') files.push(nameOf(path))
    else leave(path, 'other')
  }

  const follow = async (path: string, named: boolean) => {
    // A broken link is reported when it is read, if it has a name of rows.
    const real = await realpath(path).catch(() => null)
    const isFolder = real !== null && (await stat(real)).isDirectory()
    if (real === null || (!isFolder && !named)) return named ? files.push(nameOf(path)) : leave(path, 'other')
    if (!roots.some((one) => within(one, real))) return outside.push(path)
    if (!isFolder) {
      linkedFiles.add(real)
      return files.push(nameOf(path))
    }
    if (isThereAnyway(real, root, linkedFolders)) return leave(path, 'linked-twice')
    linkedFolders.push(real)
    return await walk(path)
  }

  const walk = async (path: string): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true })
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const entry of entries) await visit(join(path, entry.name), entry)
  }

  await walk(folder)
  const unread = await Promise.all(
    leftOut.map(async (entry) => linkedFiles.has(await realpath(entry.path).catch(() => ''))),
  )
  return {
    files: files.sort((a, b) => (a < b ? -1 : 1)),
    leftOut: leftOut.filter((_, index) => !unread[index]),
    outside,
  }
}
