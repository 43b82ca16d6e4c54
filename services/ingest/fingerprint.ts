import { createHash } from 'node:crypto'
import { type FoundFile, withBytes } from './input.ts'

/**
 * Identifies a source's content under its name without reading all of it: `LENGTH:HASH`, where HASH is the SHA-256 of the first and the last
 * 64 KiB of its first LENGTH bytes (as they are on disk, compressed or not). A file that has grown still has the fingerprint of its first
 * LENGTH bytes, so reading continues where it stopped. A file known to break off carries the mark `:damaged`.
 */
export interface Fingerprint {
  readonly byteLength: number
  readonly hash: string
  readonly damaged: boolean
}

const endBytes = 64 * 1024

export function formatFingerprint({ byteLength, hash, damaged }: Fingerprint): string {
  return `${byteLength}:${hash}${damaged ? ':damaged' : ''}`
}

export function parseFingerprint(text: string): Fingerprint {
  const [byteLength, hash = '', mark] = text.split(':')
  return { byteLength: Number(byteLength), hash, damaged: mark === 'damaged' }
}

/** `read` returns `length` bytes from `position`; both lie within `byteLength`. */
async function fingerprint(
  byteLength: number,
  read: (position: number, length: number) => Promise<Buffer>,
): Promise<Fingerprint> {
  const hash = createHash('sha256')
  hash.update(await read(0, Math.min(endBytes, byteLength)))
  const tail = Math.max(endBytes, byteLength - endBytes)
  if (tail < byteLength) hash.update(await read(tail, byteLength - tail))
  return { byteLength, hash: hash.digest('hex'), damaged: false }
}

/** Fingerprint of the first `byteLength` bytes of a file that is at least as long. */
export const fingerprintOfFile = (file: FoundFile, byteLength = file.byteLength): Promise<Fingerprint> =>
  withBytes(file, (bytes) => fingerprint(byteLength, bytes.at))

/** Only the beginning of standard input is known before it is read: the fingerprint covers as much of `head`. */
export const fingerprintOfHead = (head: Buffer): Promise<Fingerprint> =>
  fingerprint(Math.min(head.length, endBytes), async (position, length) => head.subarray(position, position + length))
