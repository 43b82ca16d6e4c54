import { storeFor } from '../runtime/stores/open-store.ts'
import { nameOfPlace } from '../runtime/stores/place.ts'
import type { LeftOutEntry } from './folder.ts'
import type { FoundFile } from './input.ts'
import { standingOf } from './names.ts'
import { locate } from './paths.ts'

interface StoredSource extends FoundFile {
  readonly kind: 'file'
  readonly name: string
  readonly found: boolean
}

/**
 * The object at an address, or those under it, which are named, taken and left out as the files of a folder are; each in the version that it has now.
 * @throws WinnowError CONFIGURATION if there is neither
 */
export async function storedSources(uri: string): Promise<{ sources: StoredSource[]; leftOut: LeftOutEntry[] }> {
  const at = await locate(uri)
  if (at.kind === 'file')
    return { sources: [{ kind: 'file', name: nameOfPlace(uri), ...at.file, found: false }], leftOut: [] }
  const sources: StoredSource[] = []
  const leftOut: LeftOutEntry[] = []
  for await (const { uri: path, name, byteLength, version } of (await storeFor(uri)).list(uri)) {
    const standing = standingOf(name)
    if (standing === 'rows') sources.push({ kind: 'file', name, path, byteLength, version, found: true })
    else if (standing !== 'hidden') leftOut.push({ name, path, why: standing })
  }
  return { sources: sources.sort((a, b) => (a.name < b.name ? -1 : 1)), leftOut }
}
