import { realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { WinnowError } from '../runtime/errors.ts'
import { shownPlace, storeOf } from '../runtime/stores/place.ts'
import { contentOf, type LeftOutEntry, rootsOf, within } from './folder.ts'
import { quoted } from './formats/refusal.ts'
import type { FoundFile } from './input.ts'
import { fileAt, inspect } from './paths.ts'
import { storedSources } from './stored-sources.ts'

export type SourceFile = FileSource | { readonly kind: 'standardInput'; readonly name: string }

export interface FileSource extends FoundFile {
  readonly kind: 'file'
  /** Identifies the source in the topics: does not depend on the machine or the folder above. */
  readonly name: string
  /** Found in a folder, not named explicitly. */
  readonly found: boolean
}

/** Where a source is, for people. */
export const placeOf = (source: SourceFile): string =>
  source.kind === 'file' ? shownPlace(source.path) : 'standard input'

export interface NameOptions {
  /** Put before every name, with a slash: separates corpora whose files have the same names. */
  readonly prefix?: string
  /** The paths are files in this folder, and are named as if the folder itself had been given. */
  readonly folder?: string
  /** Folders that links may lead into, besides the one they are in. */
  readonly followLinks?: readonly string[]
}

export interface FoundSources {
  readonly sources: readonly SourceFile[]
  readonly leftOut: readonly LeftOutEntry[]
}

/**
 * The sources at the given paths: files, folders (searched recursively, except hidden entries), addresses in object stores, whose prefixes are
 * their folders, and `-` for standard input. Ordered by path as
 * given, and within a folder by name in code-unit order, the same on every machine. Nothing is read yet: a path that is missing or
 * unreadable, a link that leads out of its folder, and two sources of one name are CONFIGURATION errors.
 */
export async function findSources(paths: readonly string[], options: NameOptions = {}): Promise<FoundSources> {
  const { folder, prefix, followLinks = [] } = options
  const sources: SourceFile[] = []
  const leftOut: LeftOutEntry[] = []
  if (folder !== undefined) {
    const roots = await rootsOf(folder, followLinks)
    for (const name of paths) sources.push(await sourceWithin(folder, name, roots))
  } else {
    for (const path of paths) {
      const found = await sourcesAt(path, followLinks)
      sources.push(...found.sources)
      leftOut.push(...found.leftOut)
    }
  }
  const named = sources.map((source) => (prefix ? { ...source, name: `${prefix}/${source.name}` } : source))
  checkNames(named)
  return { sources: named, leftOut }
}

function checkNames(sources: readonly SourceFile[]) {
  const seen = new Map<string, SourceFile>()
  for (const source of sources) {
    const other = seen.get(source.name)
    if (other !== undefined) {
      throw new WinnowError(
        'CONFIGURATION',
        `${placeOf(other)} and ${placeOf(source)} would both be the source '${source.name}'`,
        {
          hint: 'ingest them one after the other, each with a --name of its own, or give the folder above both',
        },
      )
    }
    seen.set(source.name, source)
  }
}

async function sourcesAt(path: string, followLinks: readonly string[]): Promise<FoundSources> {
  if (path === '-') return { sources: [{ kind: 'standardInput', name: 'stdin' }], leftOut: [] }
  if (storeOf(path) !== undefined) return await storedSources(path)
  const found = await inspect(path)
  if (!found.isDirectory())
    return { sources: [{ kind: 'file', name: basename(path), ...(await fileAt(path)), found: false }], leftOut: [] }
  for (const root of followLinks) await inspect(root)
  const roots = await rootsOf(path, followLinks)
  const { files, leftOut, outside } = await contentOf(path, roots)
  if (outside.length > 0) throw leadsOut(outside, path)
  return { sources: await Promise.all(files.map((name) => sourceWithin(path, name, roots))), leftOut }
}

/** Naming a folder means its contents: a link that leads out of it, a pipe or a device is refused. */
async function sourceWithin(folder: string, name: string, roots: readonly string[]): Promise<FileSource> {
  const path = join(folder, name)
  const found = await inspect(path)
  const real = await realpath(path)
  if (!roots.some((root) => within(root, real))) throw leadsOut([path], folder)
  if (found.isFile()) return { kind: 'file', name, path, byteLength: found.size, found: true }
  throw new WinnowError('CONFIGURATION', `${path} is no file`, { hint: 'remove it, or give a file by its own path' })
}

/** At most this many are named; the rest are only counted. */
const namedMax = 20

export function leadsOut(paths: readonly string[], folder: string): WinnowError {
  const named = paths.slice(0, namedMax).join(', ')
  const more = paths.length > namedMax ? ` and ${paths.length - namedMax} more` : ''
  return new WinnowError('CONFIGURATION', `${named}${more} leads out of ${folder}`, {
    hint: `name where links may lead, with --follow-links ROOT (realpath ${quoted(paths[0]!)} says where this one does); or remove it, or give a file by its own path; for a Hugging Face repository, hf download --local-dir makes a folder without links`,
  })
}
