import { gzipSync } from 'node:zlib'
import { type FileMetaData, parquetMetadata } from 'hyparquet'
import { ByteWriter, type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer'
import { writeMetadata } from 'hyparquet-writer/src/metadata.js'

export interface ParquetOptions {
  readonly rowGroupSize?: number
  /** Bytes of a page before it is packed. */
  readonly pageSize?: number
  /** What packs a page; gzip if left out. */
  readonly pack?: (page: Uint8Array) => Uint8Array
}

/** A Parquet file of the given columns, its pages packed with gzip. */
export const parquetOf = (
  columnData: ColumnSource[],
  { rowGroupSize = 4, pageSize, pack = gzipSync }: ParquetOptions = {},
): Buffer =>
  Buffer.from(
    parquetWriteBuffer({
      columnData,
      rowGroupSize,
      ...(pageSize !== undefined && { pageSize }),
      codec: 'GZIP',
      compressors: { GZIP: pack },
    }),
  )

/** A Parquet file of texts `row 0`, `row 1`, ... */
export const parquetRows = (count: number, options: ParquetOptions = {}): Buffer =>
  parquetOf([{ name: 'text', data: Array.from({ length: count }, (_, row) => `row ${row}`), type: 'STRING' }], options)

/** The same pages under another footer. */
export function withFooter(file: Buffer, change: (metadata: FileMetaData) => void): Buffer {
  const metadata = parquetMetadata(file)
  const pages = file.subarray(0, file.length - metadata.metadata_length - 8)
  change(metadata)
  const writer = new ByteWriter()
  writeMetadata(writer, metadata)
  return Buffer.concat([pages, Buffer.from(writer.getBytes()), Buffer.from('PAR1')])
}

/** Where the pages of a row group begin and end. */
export function pagesAt(file: Buffer, group: number): { start: number; end: number } {
  const columns = parquetMetadata(file).row_groups[group]!.columns.map(({ meta_data }) => {
    const start = Number(meta_data!.dictionary_page_offset || meta_data!.data_page_offset)
    return { start, end: start + Number(meta_data!.total_compressed_size) }
  })
  return { start: Math.min(...columns.map(({ start }) => start)), end: Math.max(...columns.map(({ end }) => end)) }
}

/** The same file with nonsense where the pages of a row group were. */
export function withoutPages(file: Buffer, group: number): Buffer {
  const { start, end } = pagesAt(file, group)
  return Buffer.from(file).fill(0xee, start, end)
}
