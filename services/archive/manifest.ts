import { existsSync, readdirSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { WinnowError } from '../runtime/errors.ts'
import { digestOf } from './digest.ts'
import {
  type ArchiveManifest,
  archiveVersion,
  manifestFile,
  manifestSchema,
  planFile,
  rootOfArchive,
  topicsFolder,
} from './format.ts'

const head = z.looseObject({ format: z.literal('winnow-archive'), version: z.int(), winnow: z.string() })

/**
 * What an archive says it holds. The files themselves are not looked at.
 * @throws WinnowError BAD_DATA if the folder is no archive, or its export has not ended; CONFIGURATION if a later winnow wrote it; GUARANTEE_VIOLATED if
 * the manifest is not the one that was written
 */
export async function readManifest(folder: string): Promise<ArchiveManifest> {
  const path = join(folder, manifestFile)
  if (!existsSync(path)) throw noArchive(folder)
  let content: unknown
  try {
    content = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw changed(path, 'it is not JSON', cause)
  }
  const { success, data: said } = head.safeParse(content)
  if (!success) throw changed(path, 'it does not say that it is of an archive')
  if (said.version > archiveVersion)
    throw new WinnowError(
      'CONFIGURATION',
      `${folder} is an archive of format ${said.version}, written by winnow ${said.winnow}; this winnow reads up to ${archiveVersion}`,
      { hint: `Read it with winnow ${said.winnow} or later.` },
    )
  const parsed = manifestSchema.safeParse(content)
  if (!parsed.success) throw changed(path, z.prettifyError(parsed.error).replaceAll('\n', ' '))
  if (rootOfArchive(parsed.data) !== parsed.data.root) throw changed(path, 'its root is not that of what it says')
  return parsed.data
}

function noArchive(folder: string): WinnowError {
  if (existsSync(join(folder, planFile)))
    return new WinnowError('BAD_DATA', `${folder} is not a whole archive: its export has not ended`, {
      hint: 'Repeat the command that began it, winnow export: it goes on where it was.',
    })
  return new WinnowError('BAD_DATA', `${folder} is not an archive: it has no ${manifestFile}`, {
    hint: 'Name a folder that winnow export wrote.',
  })
}

/**
 * Reads every byte of an archive and compares it with the manifest.
 * @param root the archive's, from who published it; without it, the archive is only compared with itself
 * @throws WinnowError GUARANTEE_VIOLATED with the name of the first file that is not what was exported; as `readManifest`
 */
export async function verifyArchive(
  folder: string,
  root?: string,
  onProgress: (bytes: number, total: number) => void = () => {},
): Promise<ArchiveManifest> {
  const manifest = await readManifest(folder)
  if (root !== undefined && root !== manifest.root)
    throw changed(join(folder, manifestFile), `its root is ${manifest.root}, not ${root}`)
  const total = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  for (const { path, bytes, digest } of manifest.files) {
    const file = join(folder, path)
    const size = (await stat(file).catch(() => undefined))?.size
    if (size === undefined) throw changed(file, 'it is missing')
    if (size !== bytes) throw changed(file, `it has ${size} bytes, not ${bytes}`)
    if ((await digestOf(file)).digest !== digest) throw changed(file, 'it has other bytes')
    done += bytes
    onProgress(done, total)
  }
  const named = new Set(manifest.files.map(({ path }) => path))
  const more = filesBelow(folder).find((path) => !named.has(path))
  if (more !== undefined) throw changed(join(folder, more), 'the manifest does not name it')
  return manifest
}

function filesBelow(folder: string): string[] {
  if (!existsSync(join(folder, topicsFolder))) return []
  const below = readdirSync(join(folder, topicsFolder), { recursive: true, withFileTypes: true })
  return below
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(join(folder, '/').length))
    .sort()
}

const changed = (path: string, why: string, cause?: unknown): WinnowError =>
  new WinnowError('GUARANTEE_VIOLATED', `${path} is not what was exported: ${why}`, {
    cause,
    hint: 'Take the archive from where it was exported to, or export the run again.',
  })
