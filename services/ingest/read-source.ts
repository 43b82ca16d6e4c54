import type { Source } from '../../schemas/index.ts'
import { Batch } from './batch.ts'
import { compressionOf } from './compression/compression.ts'
import { DamagedFile } from './compression/damaged-file.ts'
import { formatFingerprint } from './fingerprint.ts'
import { openFile, Stopped } from './input.ts'
import type { IngestLimits } from './limits.ts'
import { parquetThread } from './parquet/thread.ts'
import type { Plan } from './plan.ts'
import type { IngestProgress } from './progress.ts'
import type { SourceResult } from './result.ts'
import { lineReader, type RowReader } from './row-reader.ts'
import type { SourceWriter } from './writer.ts'

export interface ReadSourceOptions {
  readonly writer: SourceWriter
  readonly limits: IngestLimits
  readonly progress: IngestProgress
  readonly signal?: AbortSignal
}

/** Reads one source to its end, to where it is damaged, or until the signal, and writes its rows from the first unknown one on. */
export async function readSource(plan: Plan, number: number, options: ReadSourceOptions): Promise<SourceResult> {
  const { writer, limits, progress, signal } = options
  const { name, path } = plan.file
  const shown = path ?? 'standard input'
  const before: Source = plan.known ?? {
    name,
    source: number,
    fingerprint: '',
    rowNext: 0,
    documents: 0,
    rejected: 0,
    complete: false,
  }
  // A source that grew is not complete until its new end is reached.
  let state: Source = { ...before, fingerprint: formatFingerprint(plan.fingerprint), complete: false }
  const rowFirst = before.rowNext
  const newBatch = () => new Batch(number, shown, limits)
  let batch = newBatch()

  const flush = async (change: Partial<Source>) => {
    const full = batch
    batch = newBatch()
    const { documents, rejected } = state
    state = await writer.write(full, { ...state, ...change })
    progress.wrote(state.documents - documents, state.rejected - rejected)
  }
  const result = (outcome: SourceResult['outcome']): SourceResult => ({
    name,
    source: outcome === 'stopped' && plan.known === null && state.rowNext === 0 ? null : number,
    outcome,
    documents: state.documents - before.documents,
    rejected: state.rejected - before.rejected,
    documentsTotal: state.documents,
  })

  if (signal?.aborted) return result('stopped')
  progress.source(name)
  const reader = await openReader(plan, rowFirst, options)
  let rowNext = rowFirst
  try {
    for await (const { lines, byteLength } of reader.chunks()) {
      for (const line of lines) {
        if (signal?.aborted) break
        if (line.row < rowFirst) continue
        batch.add(line)
        rowNext = line.row + 1
        if (batch.full) await flush({ rowNext })
      }
      progress.read(reader.rows, byteLength)
      if (signal?.aborted) throw new Stopped()
    }
    const nothingNew = before.complete && reader.rows <= rowFirst
    if (nothingNew && path === null) return result('already')
    await flush({ rowNext: Math.max(reader.rows, rowFirst), complete: true })
    return result('ingested')
  } catch (error) {
    if (error instanceof Stopped) {
      if (rowNext > state.rowNext) await flush({ rowNext })
      return result('stopped')
    }
    if (!(error instanceof DamagedFile)) throw error
    const { rows, unit } = reader
    const row = Math.max(rows, rowFirst)
    const message = `${error.message}, in ${unit} ${rows + 1}; ${rows} ${unit}s before it are good`
    batch.reject(row, { reason: error.reason, message }, reader.rest())
    await flush({ rowNext: row, fingerprint: formatFingerprint({ ...plan.fingerprint, damaged: true }) })
    return result('damaged')
  }
}

async function openReader(plan: Plan, rowFirst: number, options: ReadSourceOptions): Promise<RowReader> {
  const { limits, progress } = options
  const { byteLength } = plan.fingerprint
  const path = plan.file.path ?? ''
  if (plan.parquet) return parquetThread({ path, byteLength, rowFirst }, options)
  const input = plan.input ?? (await openFile(path, byteLength))
  return lineReader(input, compressionOf(input.head), limits, progress)
}
