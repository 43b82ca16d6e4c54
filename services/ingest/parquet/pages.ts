import { crc32 } from 'node:zlib'
import { parquetHeader } from 'hyparquet/src/column.js'

/** What the pages of a column chunk unpack to, according to their headers. */
export interface PagesSize {
  readonly bytes: number
  readonly values: number
}

/**
 * Walks the page headers of a column chunk without unpacking any page. The footer's numbers may be wrong; a page's header decides what it
 * unpacks to, so memory is bounded by these. Throws an Error if there is no page, if a header is impossible, or if a page fails its checksum.
 */
export function pagesOf(chunk: Uint8Array): PagesSize {
  const reader = { view: new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength), offset: 0 }
  let [bytes, values] = [0, 0]
  // As hyparquet does: some writers leave one byte after the last page.
  while (reader.offset < chunk.byteLength - 1) {
    const header = parquetHeader(reader)
    const { compressed_page_size: packed, uncompressed_page_size: unpacked } = header
    const { num_rows: rows, num_nulls: nulls } = header.data_page_header_v2 ?? { num_rows: 0, num_nulls: 0 }
    const counts = [
      header.dictionary_page_header?.num_values ?? 0,
      header.data_page_header?.num_values ?? 0,
      header.data_page_header_v2?.num_values ?? 0,
    ]
    const count = counts.reduce((sum, one) => sum + one, 0)
    const possible = [packed, unpacked, rows, nulls, ...counts].every((one) => Number.isInteger(one) && one >= 0)
    if (!possible || rows > count || nulls > count) throw new Error('the header of a page says what cannot be')
    if (reader.offset + packed > chunk.byteLength) throw new Error('a page is longer than its column')
    const page = chunk.subarray(reader.offset, reader.offset + packed)
    if (header.crc !== undefined && crc32(page) !== header.crc >>> 0) {
      throw new Error('a page does not have the checksum that its header gives')
    }
    reader.offset += packed
    bytes += unpacked
    values += count
  }
  return { bytes, values }
}
