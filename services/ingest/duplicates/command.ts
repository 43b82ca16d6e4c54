import { basename } from 'node:path'
import { withoutNonFinite } from '../../../schemas/index.ts'
import { WinnowError } from '../../runtime/errors.ts'
import type { Line } from '../lines.ts'
import { checkFiles, linesOfFile } from '../lines-of-file.ts'
import { parseRow } from '../row.ts'
import { type TextFields, textFieldOf } from '../text-field.ts'
import { type Duplicate, DuplicateIndex, type DuplicateOptions } from './index.ts'

/** Writes bytes, waiting while the receiver is full. */
type Write = (bytes: Uint8Array) => Promise<void>

export interface DeduplicateOptions extends DuplicateOptions, TextFields {
  /** Read where a file is `-`. */
  readonly standardInput?: AsyncIterable<Buffer>
}

export interface DuplicateCounts {
  rows: number
  kept: number
  exact: number
  near: number
  /** Rows over ingest's limit, which ingest would reject: they are dropped here too. Omitted if there are none. */
  tooLong?: number
}

export interface Deduplicated {
  readonly counts: DuplicateCounts
  /** BAD_DATA naming files that break off, or that have no row with a text; what can be read of them is passed on. */
  readonly failure: WinnowError | undefined
}

/** Bytes written at a time. */
const pieceBytes = 1 << 20

const receiver = 'deduplicate'
const lineFeed = Buffer.from('\n')

/**
 * Passes on the rows of files (in any format that ingest reads) in order and byte for byte, except those whose text duplicates an earlier one:
 * for each of these `exclude` gets a line `{"file", "line", "reason", "of": {"file", "line"}, "similarity", "row"}`, with the row itself. A
 * row without a text, or that is not UTF-8, is not compared and passes: ingest rejects it, and keeps it in dead letters. A row of Parquet
 * becomes its JSON line.
 * @throws WinnowError CONFIGURATION, before anything is written, for files that cannot be read
 */
export async function deduplicate(
  files: readonly string[],
  options: DeduplicateOptions,
  keep: Write,
  exclude: Write,
): Promise<Deduplicated> {
  await checkFiles(files, receiver)
  const index = new DuplicateIndex(options)
  const counts: DuplicateCounts = { rows: 0, kept: 0, exact: 0, near: 0 }
  const output = new Pieces(keep)
  const failures: WinnowError[] = []

  const take = async (file: number, line: Line, row: ReturnType<typeof parseRow>) => {
    counts.rows++
    const place = { file, line: line.row }
    if (line.tooLong) {
      counts.tooLong = (counts.tooLong ?? 0) + 1
      return await exclude(
        exclusion({ file: files[file], line: line.row, reason: 'too-long-line', bytes: line.byteLength }),
      )
    }
    const duplicate = 'reason' in row ? undefined : index.add(row.text, place)
    if (duplicate === undefined) {
      counts.kept++
      return await output.add(line.bytes)
    }
    counts[duplicate.reason === 'exact-duplicate' ? 'exact' : 'near']++
    await exclude(exclusion({ file: files[file], line: line.row, ...described(duplicate, files) }, line.bytes))
  }

  for (const [file, path] of files.entries()) {
    const seen = { rows: 0, texts: 0, why: '' }
    const textField = textFieldOf(path === '-' ? 'stdin' : basename(path), options)
    try {
      const { standardInput } = options
      for await (const line of linesOfFile(path, { receiver, ...(standardInput && { standardInput }) })) {
        const row = parseRow(line, textField)
        seen.rows++
        // Bytes in another encoding cannot be compared. Ingest keeps them.
        if (!('reason' in row) || row.reason === 'not-utf8') seen.texts++
        else seen.why ||= row.message
        await take(file, line, row)
      }
      if (seen.rows > 0 && seen.texts === 0) failures.push(withoutTexts(path, seen.rows, seen.why))
    } catch (error) {
      if (!(error instanceof WinnowError && error.code === 'BAD_DATA')) throw error
      failures.push(error)
    }
  }
  await output.end()
  return { counts, failure: joined(failures) }
}

function joined(failures: readonly WinnowError[]): WinnowError | undefined {
  const [first, ...others] = failures
  if (first === undefined || others.length === 0) return first
  const { hint } = first
  return new WinnowError('BAD_DATA', failures.map(({ message }) => message).join('; '), {
    ...(hint !== undefined && { hint }),
    cause: first,
  })
}

/** Collects lines, which may be views of a reused buffer, into chunks to write. */
class Pieces {
  readonly #write: Write
  #lines: Buffer[] = []
  #bytes = 0

  constructor(write: Write) {
    this.#write = write
  }

  async add(line: Buffer): Promise<void> {
    this.#lines.push(Buffer.concat([line, lineFeed]))
    this.#bytes += line.length + 1
    if (this.#bytes >= pieceBytes) await this.end()
  }

  async end(): Promise<void> {
    if (this.#bytes === 0) return
    const piece = Buffer.concat(this.#lines)
    this.#lines = []
    this.#bytes = 0
    await this.#write(piece)
  }
}

const described = ({ reason, of, similarity }: Duplicate, files: readonly string[]) => ({
  reason,
  of: { file: files[of.file], line: of.line },
  similarity,
})

/** A line of JSON, with the row as it was written, so that its numbers keep their digits; NaN, which JSON lacks, becomes null. */
function exclusion(fields: object, row?: Buffer): Buffer {
  const json = JSON.stringify(fields)
  if (row === undefined) return Buffer.from(`${json}\n`)
  return Buffer.from(`${json.slice(0, -1)},"row":${withoutNonFinite(row.toString('utf8').trim())}}\n`)
}

const withoutTexts = (path: string, rows: number, why: string): WinnowError =>
  new WinnowError(
    'BAD_DATA',
    `none of the ${rows} rows of ${path === '-' ? 'standard input' : path} has a text: ${why}`,
    {
      hint: 'They are passed on as they are. Name the field with --text-field if it is not text.',
    },
  )
