import { shownPlace } from '../runtime/stores/place.ts'
import { formatOf } from './formats/detect.ts'
import { foreignError, parquetFromStandardInput, type Receiver } from './formats/refusal.ts'
import { openFile, openStream } from './input.ts'
import { defaultLimits, type IngestLimits } from './limits.ts'
import { parquetThread } from './parquet/thread.ts'
import { fileAt } from './paths.ts'
import { noProgress } from './progress.ts'
import { lineReader, type RowReader } from './row-reader.ts'

export interface OpenRowsOptions {
  /** Read where the path is `-`. */
  readonly standardInput?: AsyncIterable<Buffer>
  readonly limits?: Partial<IngestLimits>
  readonly signal?: AbortSignal
  /** Who reads, for hints; default: a reader of files. */
  readonly receiver?: Receiver
}

/**
 * Opens a file for its rows, in any format: JSON lines, plain, gzip or Zstandard, or Parquet; detected by its first bytes, as in ingest.
 *
 * `chunks()` of the returned reader yields the rows in order, as JSON lines: `row` counts from 0 and includes blank lines, which are skipped;
 * `bytes` is the line as in the file, without line end and byte order mark, whether or not it is UTF-8 and JSON (see `parseRow` in row.ts);
 * for a line with `tooLong`, only its beginning. A row of Parquet is the JSON line defined in docs/ingest.md. The bytes may be views of a
 * chunk: copy what is kept longer. Memory is bounded by `limits`, whatever the file says.
 *
 * If the file breaks off, `chunks()` throws DamagedFile after all rows before; `rest()` then has the part of the row it breaks off in. @throws
 * WinnowError CONFIGURATION for a path that is missing, a folder or unreadable, and for an unsupported format
 */
export async function openRows(path: string, options: OpenRowsOptions = {}): Promise<RowReader> {
  const { standardInput = process.stdin, signal, receiver = 'file' } = options
  const limits = { ...defaultLimits, ...options.limits }
  const file = path === '-' ? null : await fileAt(path, receiver)
  const input = file === null ? await openStream(standardInput) : await openFile(file)
  const format = await formatOf(input, path)
  const source = { name: path === '-' ? 'stdin' : path, path: path === '-' ? null : shownPlace(path) }
  if (format.kind === 'lines') return lineReader(input, format.compression, limits, noProgress)
  await input.close()
  if (format.kind === 'foreign') throw foreignError([{ ...source, format }], receiver)
  if (file === null) throw parquetFromStandardInput()
  return parquetThread({ file, rowFirst: 0 }, { limits, progress: noProgress, ...(signal && { signal }) })
}
