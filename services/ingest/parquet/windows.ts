import { crc32 } from 'node:zlib'
import { type ColumnMetaData, type FileMetaData, parquetScan } from 'hyparquet'
import type { Parts } from '../../runtime/stores/bytes.ts'
import { DamagedFile } from '../compression/damaged-file.ts'
import { boundedCompressors } from './decompressors.ts'
import { bytesAt, magic } from './footer.ts'
import { parsers } from './json-line.ts'
import type { ColumnPages, PagePlace } from './page-places.ts'

/** A flat column of a row group, and where its pages are. */
export interface PagedColumn {
  readonly column: ColumnMetaData
  readonly pages: ColumnPages
}

/** Rows of a row group, from the first to before the last. */
export interface Window {
  readonly rowStart: number
  readonly rowEnd: number
}

export interface WindowLimits {
  /** The target size of a window. */
  readonly bytes: number
  /** The limit for the pages of a single row: if a writer made them that large, a window holds nothing else. */
  readonly bytesMax: number
  readonly valuesMax: number
  /** Number in the file of the row group's first row. */
  readonly rowFirst: number
}

/** The pages that have rows of a window. */
const pagesFor = ({ data }: ColumnPages, { rowStart, rowEnd }: Window): readonly PagePlace[] => {
  const first = data.findIndex((page) => page.rowEnd > rowStart)
  const last = data.findIndex((page) => page.rowEnd >= rowEnd)
  return data.slice(first, last + 1)
}

const rowFirstOf = ({ data }: ColumnPages, page: PagePlace | undefined): number =>
  page === undefined ? 0 : (data[data.indexOf(page) - 1]?.rowEnd ?? 0)

/** The total size of a window's pages. */
function sizeOf(columns: readonly PagedColumn[], window: Window) {
  let [bytes, values] = [0, 0]
  for (const { pages } of columns) {
    const some = pagesFor(pages, window)
    bytes += some.reduce((sum, page) => sum + Math.max(page.unpackedBytes, page.byteLength), 0)
    bytes += pages.dictionary?.unpackedBytes ?? 0
    values += (some.at(-1)?.rowEnd ?? 0) - rowFirstOf(pages, some[0])
  }
  return { bytes, values }
}

/**
 * Cuts the rows of a row group into windows, at ends of pages, each of whose pages together stay within the limits.
 * @throws DamagedFile `too-large` where the pages of one row alone are beyond them
 */
export function* windowsOf(columns: readonly PagedColumn[], rows: number, limits: WindowLimits): Generator<Window> {
  const ends = [...new Set(columns.flatMap(({ pages }) => pages.data.map(({ rowEnd }) => rowEnd)))]
    .filter((end) => end > 0 && end <= rows)
    .sort((a, b) => a - b)
  const within = (window: Window, bytesMax: number) => {
    const { bytes, values } = sizeOf(columns, window)
    return bytes <= bytesMax && values <= limits.valuesMax
  }
  let rowStart = 0
  for (let next = 0; rowStart < rows; ) {
    if (!within({ rowStart, rowEnd: ends[next]! }, limits.bytesMax)) {
      const { bytes, values } = sizeOf(columns, { rowStart, rowEnd: ends[next]! })
      throw new DamagedFile(
        'too-large',
        `the pages of row ${limits.rowFirst + rowStart + 1} have ${bytes} bytes and ${values} values, the limits are ${limits.bytesMax} and ${limits.valuesMax}`,
      )
    }
    while (next + 1 < ends.length && within({ rowStart, rowEnd: ends[next + 1]! }, limits.bytes)) next++
    yield { rowStart, rowEnd: ends[next]! }
    rowStart = ends[next++]!
  }
}

/** The values of a flat column in a window: its pages are assembled into a file of one row group, which is read whole. */
export async function valuesIn(
  file: Parts,
  metadata: FileMetaData,
  { column, pages }: PagedColumn,
  window: Window,
): Promise<ArrayLike<unknown>> {
  const name = column.path_in_schema[0]!
  const some = pagesFor(pages, window)
  const parts = pages.dictionary === null ? some : [pages.dictionary, ...some]
  const bytes = Buffer.from(new ArrayBuffer(magic.length + parts.reduce((sum, page) => sum + page.byteLength, 0)))
  let end = magic.copy(bytes)
  for (const page of parts) {
    const read = await bytesAt(file, page.position, page.byteLength)
    if (page.crc !== undefined && crc32(read.subarray(page.headerBytes)) !== page.crc >>> 0) {
      throw new Error('a page does not have the checksum that its header gives')
    }
    end += read.copy(bytes, end)
  }
  const rowFirst = rowFirstOf(pages, some[0])
  const rowEnd = some.at(-1)!.rowEnd - rowFirst
  const { dictionary_page_offset: _, ...rest } = column
  const offset = BigInt(magic.length)
  const chunk: ColumnMetaData = {
    ...rest,
    ...(pages.dictionary !== null && { dictionary_page_offset: offset }),
    data_page_offset: offset + BigInt(pages.dictionary?.byteLength ?? 0),
    total_compressed_size: BigInt(end - magic.length),
    num_values: BigInt(rowEnd),
  }
  const group = {
    columns: [{ file_offset: offset, meta_data: chunk }],
    num_rows: BigInt(rowEnd),
    total_byte_size: BigInt(end),
  }
  const scan = await parquetScan({
    file: { byteLength: end, slice: (from: number, to = end) => bytes.buffer.slice(from, to) },
    metadata: { ...metadata, num_rows: BigInt(rowEnd), row_groups: [group] },
    rowStart: 0,
    rowEnd,
    columns: [name],
    parsers,
    compressors: boundedCompressors,
    useOffsetIndex: false,
  })
  const values = await scan.readColumn({ column: name, rowStart: 0, rowEnd })
  if (values.length !== rowEnd) throw new Error(`column ${name} has ${values.length} values for ${rowEnd} rows`)
  return Array.prototype.slice.call(values, window.rowStart - rowFirst, window.rowEnd - rowFirst)
}
