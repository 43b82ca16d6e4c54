import type { FileHandle } from 'node:fs/promises'
import { parquetHeader } from 'hyparquet/src/column.js'
import { bytesAt } from './footer.ts'

/** Where a page of a flat column stands, and what is in it by its own header. */
export interface PagePlace {
  readonly position: number
  /** Of header and data. */
  readonly byteLength: number
  readonly headerBytes: number
  readonly unpackedBytes: number
  readonly crc: number | undefined
  /** Behind its last row, counted from the row group's first; of a dictionary as before it. */
  readonly rowEnd: number
}

export interface ColumnPages {
  readonly dictionary: PagePlace | null
  /** In the order of their rows. */
  readonly data: readonly PagePlace[]
}

/** Headers carry statistics, which may be long strings: what is read for one grows until it is whole. */
const headerBytesFirst = 4 * 1024
const headerBytesMax = 16 * 1024 * 1024

/**
 * Goes over the headers of a flat column's pages in the file, without reading what is in the pages.
 * Throws an Error where a header cannot be read or says what cannot be.
 */
export async function pagePlacesOf(file: FileHandle, start: number, length: number): Promise<ColumnPages> {
  const data: PagePlace[] = []
  let dictionary: PagePlace | null = null
  let rowEnd = 0
  // As hyparquet reads them: some writers leave one byte behind the last page.
  for (let position = start; position < start + length - 1; ) {
    const { header, headerBytes } = await headerAt(file, position, start + length)
    const { compressed_page_size: packed, uncompressed_page_size: unpacked, crc } = header
    const rows = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_rows ?? 0
    const possible = [packed, unpacked, rows].every((one) => Number.isInteger(one) && one >= 0)
    if (!possible || position + headerBytes + packed > start + length) {
      throw new Error('the header of a page says what cannot be')
    }
    const isDictionary = header.dictionary_page_header !== undefined
    rowEnd += rows
    const byteLength = headerBytes + packed
    const place = { position, byteLength, headerBytes, unpackedBytes: unpacked, crc, rowEnd }
    if (isDictionary) dictionary = place
    else data.push(place)
    position += byteLength
  }
  return { dictionary, data }
}

async function headerAt(file: FileHandle, position: number, end: number) {
  for (let bytesRead = headerBytesFirst; ; bytesRead *= 8) {
    const length = Math.min(bytesRead, end - position)
    const bytes = await bytesAt(file, position, length)
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 }
    try {
      const header = parquetHeader(reader)
      return { header, headerBytes: reader.offset }
    } catch (error) {
      if (length === end - position || bytesRead >= headerBytesMax) throw error
    }
  }
}
