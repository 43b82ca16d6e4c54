import type { Stats } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { WinnowError } from '../runtime/errors.ts'
import { failureOf } from '../runtime/stores/failures.ts'
import { storeFor } from '../runtime/stores/open-store.ts'
import { schemeOf, storeOf } from '../runtime/stores/place.ts'
import { handedTo, quoted, type Receiver } from './formats/refusal.ts'
import { remoteCommands } from './formats/remote-commands.ts'
import type { FoundFile } from './input.ts'

/** What is at a path of this machine. @throws WinnowError CONFIGURATION for what is missing or unreadable, and for addresses */
export async function inspect(path: string, receiver: Receiver = 'ingest'): Promise<Stats> {
  const scheme = schemeOf(path)
  if (scheme !== undefined) throw remote(path, scheme, receiver)
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

export type Located =
  | { readonly kind: 'file'; readonly file: FoundFile }
  | { readonly kind: 'folder' }
  /** A pipe or a device. */
  | { readonly kind: 'other' }

/**
 * What is at a path, or at an address of an object store, where a prefix of objects counts as a folder. Nothing is read but the object's description.
 * @throws WinnowError CONFIGURATION for what is missing or unreadable, and for addresses of other kinds
 */
export async function locate(path: string, receiver: Receiver = 'ingest'): Promise<Located> {
  if (storeOf(path) !== undefined) return await locateStored(path)
  const found = await inspect(path, receiver)
  if (found.isFile()) return { kind: 'file', file: { path, byteLength: found.size } }
  return { kind: found.isDirectory() ? 'folder' : 'other' }
}

async function locateStored(path: string): Promise<Located> {
  const store = await storeFor(path)
  const object = await store.open(path)
  if (object !== null) return { kind: 'file', file: { path, byteLength: object.byteLength, version: object.version } }
  // A web server has no lists: what it does not know is missing.
  if (storeOf(path) !== 'http') for await (const _ of store.list(path)) return { kind: 'folder' }
  throw failureOf(path, { status: 404, reason: 'neither an object nor anything under this prefix' }, '')
}

/** @throws WinnowError CONFIGURATION for a path that is missing or unreadable; `-` is standard input */
export async function checkPaths(paths: readonly string[]): Promise<void> {
  for (const path of paths) if (path !== '-') await locate(path)
}

/** A file given by its path or address. @throws WinnowError CONFIGURATION if it is not a file */
export async function fileAt(path: string, receiver: Receiver = 'ingest'): Promise<FoundFile> {
  const found = await locate(path, receiver)
  if (found.kind === 'file') return found.file
  throw found.kind === 'folder'
    ? new WinnowError('CONFIGURATION', `${path} is a folder`, { hint: 'give the files in it' })
    : new WinnowError('CONFIGURATION', `${path} is not a file but a pipe or a device`, {
        hint: `pass on its output: cat ${quoted(path)} ${handedTo(receiver, 'NAME')}`,
      })
}

function remote(path: string, scheme: string, receiver: Receiver): WinnowError {
  if (scheme === 'file') {
    return new WinnowError('CONFIGURATION', `${path} is an address, not a path`, {
      hint: `give the path alone: ${decodeURIComponent(path.replace(/^file:\/\/(localhost)?/i, ''))}`,
    })
  }
  if (storeOf(path) !== undefined) {
    return new WinnowError('CONFIGURATION', `${path} is an address, and only a folder of this machine will do here`, {
      hint: 'give its address to winnow ingest itself, without --watch: run again, it reads what is new',
    })
  }
  const [cat, copy] = remoteCommands(path)
  const name = path.replace(/\/+$/, '').split('/').at(-1) ?? ''
  return new WinnowError('CONFIGURATION', `${path} is a remote path of a kind that winnow does not read`, {
    hint: `${receiver === 'file' ? `copy it: ${copy}` : `pipe it: ${cat} ${handedTo(receiver, name)} ; Parquet and folders need a copy on this machine: ${copy}`}`,
  })
}
