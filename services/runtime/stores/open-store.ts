import { makeFolder } from '../make-folder.ts'
import { type StoreKind, shownPlace, storeOf } from './place.ts'
import type { ObjectStore } from './store.ts'

const loaded = new Map<StoreKind, Promise<ObjectStore>>()

/** Libraries are loaded by the first address that needs them: most processes have none. */
const loaders: Readonly<Record<StoreKind, () => Promise<ObjectStore>>> = {
  s3: async () => (await import('./s3.ts')).createS3Store(),
  gs: async () => (await import('./gs.ts')).createGsStore(),
  http: async () => (await import('./http.ts')).httpStore,
  hf: async () => (await import('./hf.ts')).createHfStore(),
}

/** Of an address, loads what reads it; a path needs nothing. @throws WinnowError CONFIGURATION for a library that is missing */
export async function prepareReading(place: string): Promise<void> {
  if (storeOf(place) !== undefined) await storeFor(place)
}

/** The same for what is to be written; a folder is made. @throws WinnowError CONFIGURATION also for a store that is only read */
export async function prepareWriting(place: string): Promise<void> {
  if (storeOf(place) === undefined) makeFolder(place)
  else await (await storeFor(place)).preparePut(place)
}

/** The store of an address. @throws WinnowError CONFIGURATION if its library is not installed, saying how to install it */
export async function storeFor(uri: string): Promise<ObjectStore> {
  const kind = storeOf(uri)
  if (kind === undefined) throw new RangeError(`${shownPlace(uri)} is in no object store`)
  const store = loaded.get(kind) ?? loaders[kind]()
  loaded.set(kind, store)
  // What was not installed may be, by the next time.
  store.catch(() => loaded.delete(kind))
  return await store
}
