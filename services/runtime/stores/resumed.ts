import { setTimeout as sleep } from 'node:timers/promises'
import { WinnowError } from '../errors.ts'
import { shownPlace } from './place.ts'
import type { StoredObject } from './store.ts'

export interface ResumeOptions {
  /** Failures in a row, without a byte between them, before it is given up. */
  readonly failuresMax: number
  /** Wait after the first failure; it doubles with each further one, up to half a minute. */
  readonly delayMsFirst: number
  /** A connection that delivers nothing for so long is broken. */
  readonly stallMs: number
}

export const defaultResume: ResumeOptions = { failuresMax: 8, delayMsFirst: 250, stallMs: 60_000 }
export const delayMsMax = 30_000

/**
 * The bytes of an object from `start` to before `end`. Where a connection breaks, it goes on at the byte after the last one, of the same version.
 * @throws WinnowError UNREACHABLE after too many failures in a row; what `read` throws otherwise, at once
 */
export async function* resumed(
  object: StoredObject,
  start: number,
  end: number,
  options: Partial<ResumeOptions> = {},
): AsyncGenerator<Buffer> {
  const { failuresMax, delayMsFirst, stallMs } = { ...defaultResume, ...options }
  let [at, failures] = [start, 0]
  while (at < end) {
    const request = new AbortController()
    try {
      const body = (await inTime(object.read(at, end, request.signal), stallMs))[Symbol.asyncIterator]()
      for (;;) {
        const next = await inTime(body.next(), stallMs)
        if (next.done) break
        const { buffer, byteOffset, byteLength } = next.value
        if (byteLength === 0) continue
        if (byteLength > end - at) throw brokenOff(object, 'it sent more than was asked for')
        at += byteLength
        failures = 0
        yield Buffer.from(buffer, byteOffset, byteLength)
      }
      if (at < end) throw brokenOff(object, `the connection ended at byte ${at} of ${end}`)
    } catch (error) {
      const failure = failureOfRead(object, error)
      if (!failure.retriable || ++failures >= failuresMax) throw failure
      await sleep(Math.min(delayMsMax, delayMsFirst * 2 ** (failures - 1)))
    } finally {
      // Ends the connection also where the reader wants no more.
      request.abort()
    }
  }
}

/** Fails where a promise takes too long; its own late failure is nobody's. */
async function inTime<T>(promise: Promise<T>, withinMs: number): Promise<T> {
  promise.catch(() => {})
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`nothing came for ${withinMs / 1000} s`)), withinMs)
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

const brokenOff = ({ uri }: StoredObject, reason: string): WinnowError =>
  new WinnowError('UNREACHABLE', `${shownPlace(uri)} cannot be read on: ${reason}`, {
    hint: 'check that the store is up and can be reached from here',
  })

/** What a stream throws when its connection breaks is the system's or the library's own: all of it may pass. */
const failureOfRead = (object: StoredObject, error: unknown): WinnowError =>
  error instanceof WinnowError ? error : brokenOff(object, (error as Error).message)
