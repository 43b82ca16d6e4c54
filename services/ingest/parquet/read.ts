import { type ColumnMetaData, parquetScan } from 'hyparquet'
import { WinnowError } from '../../runtime/errors.ts'
import { openBytes, type Parts } from '../../runtime/stores/bytes.ts'
import { DamagedFile } from '../compression/damaged-file.ts'
import type { FoundFile } from '../input.ts'
import type { Line, LineLimits } from '../lines.ts'
import type { IngestProgress } from '../progress.ts'
import type { RowChunk, RowReader } from '../row-reader.ts'
import { boundedCompressors } from './decompressors.ts'
import { bytesAt, type Footer, magic, type RowGroup, readFooter } from './footer.ts'
import { lineOf, parsers } from './json-line.ts'
import { pagePlacesOf } from './page-places.ts'
import { pagesOf } from './pages.ts'
import { type PagedColumn, valuesIn, windowsOf } from './windows.ts'

export interface ParquetLimits {
  /** A row group up to this size is held in memory whole; of a larger one nested columns are, and the others in parts. */
  readonly rowGroupBytesMax: number
  /** Values of all columns of a row group, which take memory however well they are compressed. */
  readonly rowGroupValuesMax: number
  /** How much the process may grow while a row group is unpacked before the file counts as damaged. */
  readonly rowGroupMemoryMax: number
  /** How long unpacking a row group may take before the file counts as damaged. */
  readonly rowGroupMsMax: number
}

/** How much becomes JSON lines at a time; the rest of the row group stays unpacked. */
const rowsAtOnce = 256
const bytesAtOnce = 2 * 1024 * 1024

/** Columns of a row group, each with one value per row. */
type Columns = readonly { readonly name: string; readonly values: ArrayLike<unknown> }[]

export interface ParquetSource {
  readonly file: FoundFile
  /** Earlier row groups are skipped. */
  readonly rowFirst: number
}

/** The rows of a Parquet file, one row group after the other. */
export function parquetReader(
  { file: { path, byteLength, version }, rowFirst }: ParquetSource,
  limits: ParquetLimits & LineLimits,
  progress: Pick<IngestProgress, 'readCompressed'>,
): RowReader {
  const reader = { unit: 'row' as const, rows: 0, rest: () => Buffer.alloc(0), chunks }

  async function* chunks(): AsyncGenerator<RowChunk> {
    const file = await openBytes(path, version)
    try {
      const footer = await readFooter(file, byteLength)
      const wanted = footer.groups.filter((group) => group.rowFirst + group.rows > rowFirst)
      const packed = (groups: readonly RowGroup[]) => groups.reduce((sum, group) => sum + group.packedBytes, 0)
      progress.readCompressed(byteLength - packed(wanted))
      reader.rows = footer.groups.reduce((rows, group) => rows + (wanted.includes(group) ? 0 : group.rows), 0)
      for (const group of wanted) {
        for await (const part of partsOf(file, footer, group, rowFirst - group.rowFirst, limits))
          yield* rowsOf(group, part)
        progress.readCompressed(group.packedBytes)
      }
    } finally {
      await file.close()
    }
  }

  async function* rowsOf(group: RowGroup, { rowStart, rowEnd, columns }: Part): AsyncGenerator<RowChunk> {
    let row = Math.max(rowFirst - group.rowFirst, rowStart)
    while (row < rowEnd) {
      const lines: Line[] = []
      let bytes = 0
      for (; row < rowEnd && lines.length < rowsAtOnce && bytes < bytesAtOnce; row++) {
        const values = columns.map(({ name, values }) => [name, values[row - rowStart]] as const)
        const line = lineOf(group.rowFirst + row, values, limits)
        bytes += line.bytes.length
        lines.push(line)
      }
      reader.rows = group.rowFirst + row
      yield { lines, byteLength: bytes }
    }
  }

  return reader
}

/** @returns why a row group is over the limits, by its own description, or null */
export function beyond(
  { packedBytes, unpackedBytes, values }: Pick<RowGroup, 'packedBytes' | 'unpackedBytes' | 'values'>,
  { rowGroupBytesMax, rowGroupValuesMax }: Pick<ParquetLimits, 'rowGroupBytesMax' | 'rowGroupValuesMax'>,
): string | null {
  const bytes = Math.max(packedBytes, unpackedBytes)
  if (bytes > rowGroupBytesMax) return `${bytes} bytes, the limit is ${rowGroupBytesMax}`
  return values > rowGroupValuesMax ? `${values} values, the limit is ${rowGroupValuesMax}` : null
}

/** Some rows of a row group, unpacked: all of them, or, if it is large, as many as memory allows. */
interface Part {
  readonly rowStart: number
  readonly rowEnd: number
  readonly columns: Columns
}

/** The rows of a row group from a given one, in as few parts as the limits allow. */
async function* partsOf(
  file: Parts,
  footer: Footer,
  group: RowGroup,
  rowFirst: number,
  limits: ParquetLimits,
): AsyncGenerator<Part> {
  if (beyond(group, limits) === null) {
    yield { rowStart: 0, rowEnd: group.rows, columns: await columnsOf(file, footer, group, limits) }
    return
  }
  const [flat, nested] = [flatColumns(footer, group), nestedPart(footer, group)]
  const whole = nested.columns.length === 0 ? [] : await columnsOf(file, footer, nested, limits)
  const windowLimits = {
    bytes: Math.min(windowBytes, limits.rowGroupBytesMax),
    bytesMax: limits.rowGroupBytesMax,
    valuesMax: limits.rowGroupValuesMax,
    rowFirst: group.rowFirst,
  }
  try {
    const paged: PagedColumn[] = []
    for (const column of flat) paged.push({ column, pages: await pagesOfColumn(file, footer.position, group, column) })
    for (const { rowStart, rowEnd } of windowsOf(paged, group.rows, windowLimits)) {
      if (rowEnd <= rowFirst) continue
      const values = new Map(
        whole.map(({ name, values }) => [name, Array.prototype.slice.call(values, rowStart, rowEnd) as unknown[]]),
      )
      for (const one of paged) {
        const name = one.column.path_in_schema[0]!
        const found = await valuesIn(file, footer.metadata, one, { rowStart, rowEnd })
        if (Array.prototype.includes.call(found, undefined)) throw new Error(`column ${name} lacks values`)
        values.set(name, found as unknown[])
      }
      const names = new Set(group.columns.map((column) => column.path_in_schema[0]!))
      yield { rowStart, rowEnd, columns: [...names].map((name) => ({ name, values: values.get(name)! })) }
    }
  } catch (error) {
    throw isSystemError(error) || error instanceof DamagedFile ? error : damaged(group, error)
  }
}

/** How much is unpacked at a time of a row group too large to be held whole. */
const windowBytes = 256 * 1024 * 1024

/** Of the file system, or of an object store. */
const isSystemError = (error: unknown) =>
  typeof (error as NodeJS.ErrnoException).syscall === 'string' || error instanceof WinnowError

/** One value per row, at the top of the schema: page headers tell which rows its pages hold. */
function flatColumns({ metadata }: Footer, { columns }: RowGroup): ColumnMetaData[] {
  const repeated = new Set(
    metadata.schema.filter((element) => element.repetition_type === 'REPEATED').map(({ name }) => name),
  )
  return columns.filter(({ path_in_schema: path }) => path.length === 1 && !repeated.has(path[0]!))
}

/** The columns of a row group that are read whole. */
export function nestedPart(footer: Footer, group: RowGroup): RowGroup {
  const flat = new Set(flatColumns(footer, group))
  const columns = group.columns.filter((column) => !flat.has(column))
  const sum = (of: (column: ColumnMetaData) => bigint) =>
    Number(columns.reduce((total, column) => total + of(column), 0n))
  return {
    ...group,
    columns,
    packedBytes: sum((column) => column.total_compressed_size),
    unpackedBytes: sum((column) => column.total_uncompressed_size),
    values: sum((column) => column.num_values),
  }
}

async function pagesOfColumn(file: Parts, end: number, group: RowGroup, column: ColumnMetaData) {
  const { start, length } = rangeOf(column)
  if (!(start >= magic.length && length >= 0 && start + length <= end)) throw outside(group)
  const pages = await pagePlacesOf(file, start, length)
  const rows = pages.data.at(-1)?.rowEnd ?? 0
  if (rows !== group.rows) throw new Error(`a column has ${rows} values for ${group.rows} rows`)
  return pages
}

const outside = (group: RowGroup) => damaged(group, new Error('a column lies outside of the file'))

/** Unpacks a row group. File system errors pass unchanged, everything else is a DamagedFile. */
async function columnsOf(file: Parts, footer: Footer, group: RowGroup, limits: ParquetLimits): Promise<Columns> {
  const { metadata, position } = footer
  await checkPages(file, position, group, limits)
  const failures: unknown[] = []
  const slice = async (start: number, end = position) => {
    try {
      return (await bytesAt(file, start, end - start)).buffer
    } catch (error) {
      failures.push(error)
      throw error
    }
  }
  try {
    const [rowStart, rowEnd] = [group.rowFirst, group.rowFirst + group.rows]
    const shared = { metadata, parsers, compressors: boundedCompressors, useOffsetIndex: false }
    const columns: { name: string; values: ArrayLike<unknown> }[] = []
    for (const name of new Set(group.columns.map((column) => column.path_in_schema[0]!))) {
      const scan = await parquetScan({
        file: { byteLength: position, slice },
        rowStart,
        rowEnd,
        columns: [name],
        ...shared,
      })
      const values = await scan.readColumn({ column: name, rowStart, rowEnd })
      checkValues(name, values, group)
      columns.push({ name, values })
    }
    return columns
  } catch (error) {
    throw failures[0] ?? damaged(group, error)
  }
}

/** Nothing is unpacked before every page header of the row group is known to be within the limits. */
async function checkPages(file: Parts, end: number, group: RowGroup, limits: ParquetLimits) {
  if (group.columns.length === 0) throw damaged(group, new Error('it has no column'))
  const { packedBytes, rows } = group
  const size = { packedBytes, unpackedBytes: 0, values: 0 }
  const check = () => {
    const reason = beyond(size, limits)
    if (reason !== null) throw damaged(group, new Error(`it has ${reason}`))
  }
  check()
  for (const column of group.columns) {
    const { start, length } = rangeOf(column)
    if (!(start >= magic.length && length >= 0 && start + length <= end)) {
      throw outside(group)
    }
    const bytes = await bytesAt(file, start, length)
    try {
      const pages = pagesOf(bytes)
      size.unpackedBytes += pages.bytes
      size.values += pages.values
      if (pages.values < rows) throw new Error(`a column has ${pages.values} values for ${rows} rows`)
    } catch (error) {
      throw damaged(group, error)
    }
    check()
  }
}

/** As hyparquet does: the dictionary, if there is one, comes before the data. */
function rangeOf({ dictionary_page_offset, data_page_offset, total_compressed_size }: ColumnMetaData) {
  return { start: Number(dictionary_page_offset || data_page_offset), length: Number(total_compressed_size) }
}

/** A flat column has null for null: undefined stands for an entry missing from its dictionary. */
function checkValues(name: string, values: ArrayLike<unknown>, { rows, columns }: RowGroup) {
  if (values.length !== rows) throw new Error(`column ${name} has ${values.length} values for ${rows} rows`)
  const flat = columns.some(({ path_in_schema: path }) => path.length === 1 && path[0] === name)
  if (flat && Array.prototype.includes.call(values, undefined)) throw new Error(`column ${name} lacks values`)
}

const damaged = (group: RowGroup, error: unknown) =>
  new DamagedFile(
    'corrupt-file',
    `the row group of ${group.rows} rows from row ${group.rowFirst + 1} on cannot be read: ${(error as Error).message}`,
    error,
  )
