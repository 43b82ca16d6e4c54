import { DamagedFile } from './compression/damaged-file.ts'
import { Stopped } from './input.ts'
import { refusedRowsMax } from './known.ts'
import { parquetThread } from './parquet/thread.ts'
import type { ToRead } from './plan.ts'
import type { IngestProgress } from './progress.ts'
import { DamagedRow, Recording, type RecordingOptions } from './recording.ts'
import type { SourceResult } from './result.ts'
import { lineReader, type RowReader } from './row-reader.ts'
import { findUnverified, type Unverified } from './unverified.ts'

export interface ReadSourceOptions extends RecordingOptions {
  readonly progress: IngestProgress
  readonly signal?: AbortSignal
}

/**
 * Reads one source until its end, its damage, the signal, or so many rejected rows that it is given up; writes its rows from the first unknown
 * one on.
 */
export async function readSource(plan: ToRead, number: number, options: ReadSourceOptions): Promise<SourceResult> {
  const { progress, signal } = options
  progress.source(plan.source.name)
  const unverified = signal?.aborted ? null : await unverifiedOf(plan, options)
  const recording = await Recording.start(plan, number, options, unverified)
  if (signal?.aborted) return recording.result('stopped')
  const reader = await openReader(plan, recording.rowFirst, options)
  try {
    const hopeless = await readRows(reader, recording, options)
    return await (hopeless ? recording.giveUp() : recording.complete(reader.rows))
  } catch (error) {
    if (error instanceof Stopped) return await recording.stop()
    if (error instanceof DamagedRow) return await recording.breakOff(reader, error.damage, error.line)
    if (error instanceof DamagedFile) return await recording.breakOff(reader, error)
    throw error
  }
}

/** Standard input cannot be read twice: damage to it is noticed where the decompressor notices. */
async function unverifiedOf(
  { rows, source }: ToRead,
  { limits, signal }: ReadSourceOptions,
): Promise<Unverified | null> {
  if (source.kind !== 'file' || rows.kind !== 'lines' || rows.compression === 'none') return null
  return await findUnverified(rows.open, rows.compression, limits, signal)
}

/** @returns whether it was given up, because every row so far was rejected */
async function readRows(reader: RowReader, recording: Recording, options: ReadSourceOptions): Promise<boolean> {
  const { progress, signal } = options
  for await (const { lines, byteLength } of reader.chunks()) {
    for (const line of lines) {
      if (signal?.aborted) throw new Stopped()
      await recording.add(line)
      if (recording.documents === 0 && recording.rejected >= refusedRowsMax) return true
    }
    progress.read(reader.rows, byteLength)
    if (signal?.aborted) throw new Stopped()
  }
  return false
}

async function openReader({ rows }: ToRead, rowFirst: number, options: ReadSourceOptions): Promise<RowReader> {
  const { limits, progress } = options
  if (rows.kind === 'lines') return lineReader(await rows.open(), rows.compression, limits, progress)
  return parquetThread({ file: rows.file, rowFirst }, options)
}
