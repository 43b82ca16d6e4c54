import type { Stats } from 'node:fs'
import { access, constants, readdir, realpath, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, relative, sep } from 'node:path'
import { WinnowError } from '../runtime/errors.ts'

export interface SourceFile {
  /** What identifies the source in the topics: never changes with the machine or the folder above. */
  readonly name: string
  /** Where it is now, as a person gave it; null: standard input. */
  readonly path: string | null
  readonly byteLength: number | null
}

export interface NameOptions {
  /** Put before every name, with a slash: keeps apart corpora whose files are called the same. */
  readonly prefix?: string
  /** The paths lead to files in this folder, and so do their names, as if the folder itself had been given. */
  readonly folder?: string
}

/** What is taken from a folder, by the name within it: files of rows that are not hidden. A file given by its own path may have any name. */
export const isRowFile = (name: string): boolean =>
  rowFile.test(name) && !name.split('/').some((part) => part.startsWith('.'))

const rowFile = /\.((jsonl|ndjson)(\.gz|\.zst)?|parquet)$/

/**
 * The sources behind the given paths: files, folders (searched all through, hidden entries left out) and `-` for standard input.
 * The order is that of the paths, and within a folder that of the names by code unit, the same on every machine.
 * Nothing is read yet: a path that is missing or unreadable and two sources of one name are CONFIGURATION errors.
 */
export async function findSources(paths: readonly string[], options: NameOptions = {}): Promise<SourceFile[]> {
  const sources: SourceFile[] = []
  const { folder } = options
  for (const path of paths) {
    sources.push(...(folder === undefined ? await sourcesAt(path) : [await sourceWithin(folder, path)]))
  }
  const named = sources.map((source) => ({
    ...source,
    name: options.prefix ? `${options.prefix}/${source.name}` : source.name,
  }))
  const seen = new Map<string, SourceFile>()
  for (const source of named) {
    const other = seen.get(source.name)
    if (other !== undefined) {
      throw new WinnowError(
        'CONFIGURATION',
        `${other.path} and ${source.path} would both be the source '${source.name}'`,
        {
          hint: 'ingest them one after the other, each with a --name of its own, or give the folder above both',
        },
      )
    }
    seen.set(source.name, source)
  }
  return named
}

async function sourcesAt(path: string): Promise<SourceFile[]> {
  if (path === '-') return [{ name: 'stdin', path: null, byteLength: null }]
  const found = await inspect(path)
  if (!found.isDirectory()) return [{ name: basename(path), path, byteLength: found.size }]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter(isRowFile)
    .sort((a, b) => (a < b ? -1 : 1))
  if (files.length === 0) {
    throw new WinnowError('CONFIGURATION', `no .jsonl, .jsonl.gz, .jsonl.zst or .parquet file in ${path}`, {
      hint: 'give a file by its own path if it has another name',
    })
  }
  return await Promise.all(files.map((name) => sourceWithin(path, name)))
}

async function sourceWithin(folder: string, name: string): Promise<SourceFile> {
  const path = join(folder, name)
  return { name, path, byteLength: await sizeWithin(folder, path) }
}

/**
 * The size of a file that was found in a folder. Who names a folder means what is in it: a link that leads out of it, a pipe or a device
 * is refused.
 */
async function sizeWithin(folder: string, path: string): Promise<number> {
  const found = await inspect(path)
  const leads = relative(await realpath(folder), await realpath(path))
  const outside = leads === '..' || leads.startsWith(`..${sep}`) || isAbsolute(leads)
  if (found.isFile() && !outside) return found.size
  throw new WinnowError('CONFIGURATION', `${path} ${outside ? `leads out of ${folder}` : 'is no file'}`, {
    hint: 'remove it, or give a file by its own path',
  })
}

async function inspect(path: string): Promise<Stats> {
  try {
    await access(path, constants.R_OK)
    return await stat(path)
  } catch (cause) {
    throw new WinnowError('CONFIGURATION', `cannot read ${path}: ${(cause as Error).message}`, {
      hint: 'check the path and its permissions',
      cause,
    })
  }
}
