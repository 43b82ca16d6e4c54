import { type Compression, decompressed } from './compression/compression.ts'
import { DamagedFile } from './compression/damaged-file.ts'
import { linesInIntactMembers } from './compression/members.ts'
import type { Input } from './input.ts'
import { type LineLimits, LineSplitter } from './lines.ts'
import { parseRow } from './row.ts'

/** What wrong bytes of a compressed file have come near. */
export interface Unverified {
  /** The first line that may not be what was written. */
  readonly row: number
  readonly damage: DamagedFile
}

/** How far back Deflate refers: rows as near before the first that is none may have been made of wrong bytes too. */
const windowBytes = 32 * 1024
const lineFeed = 0x0a

/**
 * Reads a compressed file to its end, since what wrong bytes unpack to may look like rows, and only the checksum behind them tells. @returns null
 * if all lines before its end, or before damage that has a place (a file that ends early, garbage behind its data), are what was written
 */
export async function findUnverified(
  open: () => Promise<Input>,
  compression: Compression,
  limits: LineLimits,
  signal?: AbortSignal,
): Promise<Unverified | null> {
  let lines = 0
  let verified = 0
  const onVerified = () => {
    verified = lines
  }
  try {
    for await (const chunk of decompressed(await open(), compression, onVerified)) {
      if (signal?.aborted) return null
      for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, at + 1)) lines++
    }
    return null
  } catch (damage) {
    if (!(damage instanceof DamagedFile)) throw damage
    if (!damage.late) return null
    if (compression === 'gzip') verified = Math.max(verified, await linesInIntactMembers(await open()))
    const row = await firstDoubtful(verified, decompressed(await open(), compression), limits)
    if (row !== null) return { row, damage }
    // Where only a checksum is wrong, nothing says which rows it means.
    return damage.nowhere ? { row: verified, damage } : null
  }
}

/** The first line from `verified` on that is within a window before a line that is no row; null: all are rows. */
async function firstDoubtful(
  verified: number,
  chunks: AsyncIterable<Buffer>,
  limits: LineLimits,
): Promise<number | null> {
  const splitter = new LineSplitter(limits)
  /** The lines within a window before the next one, with their lengths. */
  const near: { row: number; byteLength: number }[] = []
  let nearBytes = 0
  try {
    for await (const chunk of chunks) {
      for (const line of splitter.push(chunk)) {
        if (line.row < verified) continue
        if (!isRow(parseRow(line))) return near[0]?.row ?? line.row
        near.push(line)
        nearBytes += line.byteLength
        while (nearBytes > windowBytes) nearBytes -= near.shift()!.byteLength
      }
    }
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
  }
  return null
}

/** Whether somebody may have written it: JSON without a text is a bad row, not a wrong byte. */
const isRow = (row: ReturnType<typeof parseRow>) =>
  !('reason' in row) || !['not-json', 'not-utf8', 'too-long-line'].includes(row.reason)
