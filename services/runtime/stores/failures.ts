import { readFileSync } from 'node:fs'
import { WinnowError } from '../errors.ts'
import { shownPlace } from './place.ts'

/** Of a store: where its credentials come from, for the hint of a refusal. */
export type Credentials = string

const passing = new Set([408, 425, 429])

/**
 * What an answer of a store means. The library's own error is not passed on as cause: it may hold the signed request.
 * @param status of HTTP; undefined: there was no answer @param reason in the store's words
 */
export function failureOf(
  uri: string,
  { status, reason }: { status: number | undefined; reason: string },
  credentials: Credentials,
): WinnowError {
  const shown = shownPlace(uri)
  const said = `${reason}${status === undefined ? '' : ` (status ${status})`}`
  if (status === 404 || status === 410)
    return new WinnowError('CONFIGURATION', `there is no ${shown}: ${said}`, { hint: 'check the address' })
  if (status === 401 || status === 403) {
    return new WinnowError('CONFIGURATION', `${shown} is refused: ${said}`, {
      hint: `check its rights; ${credentials}`,
    })
  }
  if (status === 412 || status === 416) return changed(uri)
  if (status !== undefined && status < 500 && !passing.has(status))
    return new WinnowError('CONFIGURATION', `${shown} cannot be read: ${said}`, { hint: 'check the address' })
  return new WinnowError('UNREACHABLE', `${shown} cannot be read: ${said}`, {
    hint: 'check that the store is up and can be reached from here',
  })
}

/** The object is another one than was opened. */
export const changed = (uri: string): WinnowError =>
  new WinnowError('BAD_DATA', `${shownPlace(uri)} has changed since it was opened`, {
    hint: 'nothing of the new content was taken: let it be, then start again; a source with other content needs another --name',
  })

/** Of a store that is only read. */
export const readOnly = (uri: string): WinnowError =>
  new WinnowError('CONFIGURATION', `nothing can be stored at ${shownPlace(uri)}`, {
    hint: 'name a folder, or an address of s3:// or gs://',
  })

/**
 * The library of a store, which only who has such a store installs. `Library` says what of it is used, so that types can be checked without it.
 * @throws WinnowError CONFIGURATION if it is not installed
 */
export async function library<Library>(name: string): Promise<Library> {
  try {
    return (await import(name)) as Library
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new WinnowError('CONFIGURATION', `${name} is not installed, which reads this kind of address`, {
      hint: `install it: npm install --no-save ${name}@${versionOf(name)}`,
    })
  }
}

/** The version that winnow is tested with. */
function versionOf(name: string): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
  const { devDependencies } = JSON.parse(text) as { devDependencies: Record<string, string> }
  return devDependencies[name] ?? 'latest'
}
