import { crc32, createInflateRaw } from 'node:zlib'
import { Engine } from './engine.ts'
import { type CompressedInput, chunkSize, sliceBytes } from './gzip.ts'
import { Slices } from './slices.ts'

/** Flags of a member's header (RFC 1952, 2.3.1). */
const flags = { headerChecksum: 2, extra: 4, name: 8, comment: 16 } as const
const headerBytes = 10
const trailerBytes = 8
const lineFeed = 0x0a

/**
 * How many lines end in the members of a gzip file before the first whose checksum or length is wrong. Members are told apart here, which Node's
 * decompressor does not do.
 */
export async function linesInIntactMembers(input: CompressedInput): Promise<number> {
  const slices = new Slices(input.bytes, sliceBytes)
  let intact = 0
  try {
    while (await slices.skipZeros()) {
      const lines = await linesOfMember(slices)
      if (lines === null) return intact
      intact += lines
    }
    return intact
  } finally {
    await slices.close()
  }
}

/** Null: it is damaged, or no member. */
async function linesOfMember(slices: Slices): Promise<number | null> {
  if (!(await skipHeader(slices))) return null
  const engine = new Engine(createInflateRaw({ chunkSize }))
  let [lines, checksum, bytes] = [0, 0, 0]
  try {
    for (let slice = await slices.next(); slice !== null; slice = await slices.next()) {
      const { out, error } = await engine.give(slice)
      if (error !== null) return null
      for (const piece of out) {
        checksum = crc32(piece, checksum)
        bytes = (bytes + piece.length) % 2 ** 32
        for (let at = piece.indexOf(lineFeed); at >= 0; at = piece.indexOf(lineFeed, at + 1)) lines++
      }
      if (!engine.ended) continue
      slices.unread(slice.subarray(slice.length - engine.untaken))
      const trailer = await take(slices, trailerBytes)
      return trailer?.readUInt32LE(0) === checksum && trailer.readUInt32LE(4) === bytes ? lines : null
    }
    return null
  } finally {
    engine.close()
  }
}

async function skipHeader(slices: Slices): Promise<boolean> {
  const header = await take(slices, headerBytes)
  if (header === null || header.readUInt16BE() !== 0x1f8b) return false
  const has = (flag: number) => (header[3]! & flag) !== 0
  if (has(flags.extra)) {
    const length = await take(slices, 2)
    if (length === null || (await take(slices, length.readUInt16LE())) === null) return false
  }
  for (const flag of [flags.name, flags.comment]) if (has(flag)) while ((await take(slices, 1))?.[0]) {}
  return !has(flags.headerChecksum) || (await take(slices, 2)) !== null
}

/** The next bytes; null: there are not so many. */
async function take(slices: Slices, count: number): Promise<Buffer | null> {
  const parts: Buffer[] = []
  for (let missing = count; missing > 0; ) {
    const slice = await slices.next()
    if (slice === null) return null
    parts.push(slice.subarray(0, missing))
    if (slice.length > missing) slices.unread(slice.subarray(missing))
    missing -= Math.min(missing, slice.length)
  }
  return Buffer.concat(parts)
}
