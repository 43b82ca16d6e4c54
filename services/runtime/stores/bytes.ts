import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import { changed, failureOf } from './failures.ts'
import { storeFor } from './open-store.ts'
import { storeOf } from './place.ts'
import { resumed } from './resumed.ts'
import { retried } from './retried.ts'
import type { StoredObject } from './store.ts'

/** Exactly what a reader of parts needs. */
export interface Parts {
  /** Fewer bytes where the file ends before. In a buffer of their own. */
  at(position: number, length: number): Promise<Buffer<ArrayBuffer>>
}

/** The bytes of a file, on this machine or in an object store. */
export interface Bytes extends Parts {
  /** Of an object, the length that it had when it was opened. */
  readonly byteLength: number
  /** What names the content of an object; undefined for a file of this machine. */
  readonly version: string | undefined
  /** From `start` to before `end`, in large chunks. */
  stream(start: number, end: number): AsyncIterable<Buffer>
  close(): Promise<void>
}

const chunkBytes = 1024 * 1024

/**
 * Opens a file by its path, or an object by its address.
 * @param version that an object must have: the one it had when it was found
 * @throws the system's error for a path; WinnowError for an address: CONFIGURATION if there is none, BAD_DATA if it has changed,
 *   UNREACHABLE after half a minute
 */
export async function openBytes(place: string, version?: string): Promise<Bytes> {
  return storeOf(place) === undefined ? await openLocal(place) : await openRemote(place, version)
}

async function openLocal(path: string): Promise<Bytes> {
  const file = await open(path)
  const { size: byteLength } = await file.stat()
  return {
    byteLength,
    version: undefined,
    stream: (start, end) => createReadStream(path, { start, end: end - 1, highWaterMark: chunkBytes }),
    close: () => file.close(),
    at: async (position, length) => {
      const bytes = Buffer.from(new ArrayBuffer(length))
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return bytes.subarray(0, filled)
    },
  }
}

async function openRemote(uri: string, version: string | undefined): Promise<Bytes> {
  const store = await storeFor(uri)
  const object = await retried(() => store.open(uri, version))
  if (object === null) throw version === undefined ? failureOf(uri, absent, '') : changed(uri)
  const { byteLength } = object
  return {
    byteLength,
    version: object.version,
    stream: (start, end) => resumed(object, start, Math.min(end, byteLength)),
    close: async () => {},
    at: partsOf(object),
  }
}

const absent = { status: 404, reason: 'it is not in the store' }

/** Headers of pages are read a few kilobytes at a time: a request brings a block of them. */
const blockBytes = 1024 * 1024
const blocksKept = 8

function partsOf(object: StoredObject): Parts['at'] {
  const blocks = new LRUCache<number, Promise<Buffer<ArrayBuffer>>>({ max: blocksKept })
  const read = async (start: number, end: number): Promise<Buffer<ArrayBuffer>> => {
    const bytes = Buffer.from(new ArrayBuffer(Math.max(0, end - start)))
    let filled = 0
    for await (const chunk of resumed(object, start, end)) filled += chunk.copy(bytes, filled)
    return bytes
  }
  const blockAt = (index: number) => {
    const start = index * blockBytes
    const block = blocks.get(index) ?? read(start, Math.min(start + blockBytes, object.byteLength))
    blocks.set(index, block)
    block.catch(() => blocks.delete(index))
    return block
  }
  return async (position, length) => {
    const end = Math.min(position + length, object.byteLength)
    if (end <= position) return Buffer.from(new ArrayBuffer(0))
    if (end - position > blockBytes) return await read(position, end)
    const bytes = Buffer.from(new ArrayBuffer(end - position))
    for (let at = position; at < end; ) {
      const index = Math.floor(at / blockBytes)
      at += (await blockAt(index)).copy(bytes, at - position, at - index * blockBytes, end - index * blockBytes)
    }
    return bytes
  }
}
