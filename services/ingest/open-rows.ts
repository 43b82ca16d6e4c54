import { formatOf } from './formats/detect.ts'
import { foreignError, parquetFromStandardInput } from './formats/refusal.ts'
import { openFile, openStream } from './input.ts'
import { defaultLimits, type IngestLimits } from './limits.ts'
import { parquetThread } from './parquet/thread.ts'
import { lengthOfFile } from './paths.ts'
import { noProgress } from './progress.ts'
import { lineReader, type RowReader } from './row-reader.ts'

export interface OpenRowsOptions {
  /** Read where the path is `-`. */
  readonly standardInput?: AsyncIterable<Buffer>
  readonly limits?: Partial<IngestLimits>
  readonly signal?: AbortSignal
}

/**
 * Opens a file for its rows, whatever it is: JSON lines, plain, gzip or Zstandard, or Parquet; known by its first bytes, as ingest knows it.
 *
 * `chunks()` of the reader it gives yields the rows in order, as JSON lines: `row` counts from 0 and counts blank lines, which are left out;
 * `bytes` is the line as it stands in the file, without line end and byte order mark, whether it is UTF-8 and JSON or not (`parseRow` of row.ts
 * says); of a line with `tooLong` only its beginning. A row of Parquet is the JSON line that docs/ingest.md says it stands for. The bytes may
 * be views of a chunk: copy what is kept longer. Memory is bounded by `limits`, whatever the file says.
 *
 * Where the file breaks off, `chunks()` throws DamagedFile after all rows before; `rest()` then has what stands of the row it breaks off in.
 * @throws WinnowError CONFIGURATION for a path that is missing, remote, a folder or unreadable, and for a format that winnow does not read
 */
export async function openRows(path: string, options: OpenRowsOptions = {}): Promise<RowReader> {
  const { standardInput = process.stdin, signal } = options
  const limits = { ...defaultLimits, ...options.limits }
  const byteLength = path === '-' ? null : await lengthOfFile(path)
  const input = byteLength === null ? await openStream(standardInput) : await openFile(path, byteLength)
  const format = await formatOf(input, path)
  const source = { name: path === '-' ? 'stdin' : path, path: path === '-' ? null : path }
  if (format.kind === 'lines') return lineReader(input, format.compression, limits, noProgress)
  await input.close()
  if (format.kind === 'foreign') throw foreignError([{ ...source, format }])
  if (byteLength === null) throw parquetFromStandardInput()
  return parquetThread({ path, byteLength, rowFirst: 0 }, { limits, progress: noProgress, ...(signal && { signal }) })
}
