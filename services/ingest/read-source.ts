import type { Source } from '../../schemas/index.ts'
import { Batch } from './batch.ts'
import { compressionOf, DamagedFile, decompressed } from './compression.ts'
import { formatFingerprint } from './fingerprint.ts'
import type { IngestLimits, SourceResult } from './ingest.ts'
import { openFile, Stopped } from './input.ts'
import { LineSplitter } from './lines.ts'
import type { Plan } from './plan.ts'
import type { IngestProgress } from './progress.ts'
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
  const lines = new LineSplitter(limits)
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
  let rowNext = rowFirst
  try {
    const input = plan.input ?? (await openFile(shown, plan.fingerprint.byteLength))
    const bytes = counted(input.bytes, progress)
    for await (const chunk of decompressed(bytes, compressionOf(input.head))) {
      for (const line of lines.push(chunk)) {
        if (signal?.aborted) break
        if (line.row < rowFirst) continue
        batch.add(line)
        rowNext = line.row + 1
        if (batch.full) await flush({ rowNext })
      }
      progress.read(lines.rows, chunk.length)
      if (signal?.aborted) throw new Stopped()
    }
    const last = lines.end()
    if (last !== null && last.row >= rowFirst) batch.add(last)
    const nothingNew = before.complete && lines.rows <= rowFirst
    if (nothingNew && path === null) return result('already')
    await flush({ rowNext: Math.max(lines.rows, rowFirst), complete: true })
    return result('ingested')
  } catch (error) {
    if (error instanceof Stopped) {
      if (rowNext > state.rowNext) await flush({ rowNext })
      return result('stopped')
    }
    if (!(error instanceof DamagedFile)) throw error
    const row = Math.max(lines.rows, rowFirst)
    const message = `${error.message}, in line ${lines.rows + 1}; ${lines.rows} lines before it are good`
    batch.reject(row, { reason: error.reason, message }, lines.rest())
    await flush({ rowNext: row, fingerprint: formatFingerprint({ ...plan.fingerprint, damaged: true }) })
    return result('damaged')
  }
}

async function* counted(input: AsyncIterable<Buffer>, progress: IngestProgress): AsyncGenerator<Buffer> {
  for await (const chunk of input) {
    progress.readCompressed(chunk.length)
    yield chunk
  }
}
