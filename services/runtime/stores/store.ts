/** A file of an object store, in the version that it had when it was opened. */
export interface StoredObject {
  readonly uri: string
  readonly byteLength: number
  /** Names the content, as an ETag does: each read asks for this one. */
  readonly version: string
  /**
   * Bytes from `start` to before `end`, by one request. The connection may break: see `resumed`.
   * @throws WinnowError BAD_DATA if the object has changed, CONFIGURATION if it is gone or refused, UNREACHABLE for what may pass
   */
  read(start: number, end: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}

export interface ListedObject {
  readonly uri: string
  /** Within the listed prefix. */
  readonly name: string
  readonly byteLength: number
  /** As `StoredObject.version`. */
  readonly version: string
}

/** One kind of object store, by the library that speaks its protocol. */
export interface ObjectStore {
  /** Null: there is no such object. @param version the one it must have; default: the one it has now */
  open(uri: string, version?: string): Promise<StoredObject | null>
  /** What lies under an address as if it were a folder, in any order. @throws WinnowError CONFIGURATION where a store has no lists */
  list(uri: string): AsyncIterable<ListedObject>
  /** Looks, before there is anything to store, that `put` has what it needs. @throws as `put`, CONFIGURATION also for a library that is missing */
  preparePut(uri: string): Promise<void>
  /** Stores a file of this machine, whole or not at all. @throws WinnowError CONFIGURATION where nothing can be written */
  put(uri: string, path: string): Promise<void>
}
