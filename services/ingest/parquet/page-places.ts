import { parquetHeader } from 'hyparquet/src/column.js'
import type { Parts } from '../../runtime/stores/bytes.ts'
import { bytesAt } from './footer.ts'

/** Where a page of a flat column lies, and what its header says it holds. */
export interface PagePlace {
  readonly position: number
  /** Of header and data. */
  readonly byteLength: number
  readonly headerBytes: number
  readonly unpackedBytes: number
  readonly crc: number | undefined
  /** The row after its last one, counted from the row group's first; a dictionary has that of the page before. */
  readonly rowEnd: number
}

export interface ColumnPages {
  readonly dictionary: PagePlace | null
  /** In the order of their rows. */
  readonly data: readonly PagePlace[]
}

/** Headers hold statistics, which may be long strings: reading extends until the header is complete. */
const headerBytesFirst = 4 * 1024
const headerBytesMax = 16 * 1024 * 1024

/**
 * Walks the page headers of a flat column in the file, without reading page contents. Throws an Error if a header cannot be read or is
 * impossible.
 */
export async function pagePlacesOf(file: Parts, start: number, length: number): Promise<ColumnPages> {
  const data: PagePlace[] = []
  let dictionary: PagePlace | null = null
  let rowEnd = 0
  // As hyparquet does: some writers leave one byte after the last page.
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

async function headerAt(file: Parts, position: number, end: number) {
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
