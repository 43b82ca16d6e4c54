import { type ColumnMetaData, type FileMetaData, parquetMetadata } from 'hyparquet'
import type { Parts } from '../../runtime/stores/bytes.ts'
import { DamagedFile } from '../compression/damaged-file.ts'

export const magic = Buffer.from('PAR1')

/** The footer's length and the magic number, four bytes each. */
const tailBytes = 8
/** Footers of tens of thousands of row groups stay below; a footer is held whole, and takes several times its length in memory. */
const footerBytesMax = 64 * 1024 * 1024

/** A row group as the footer describes it. */
export interface RowGroup {
  /** Number of its first row in the file, from 0. */
  readonly rowFirst: number
  readonly rows: number
  readonly columns: readonly ColumnMetaData[]
  readonly packedBytes: number
  readonly unpackedBytes: number
  readonly values: number
}

export interface Footer {
  readonly metadata: FileMetaData
  readonly groups: readonly RowGroup[]
  /** Where the footer begins: pages lie before it. */
  readonly position: number
}

/** Reads the footer of a file of `byteLength` bytes. Throws DamagedFile if there is none. */
export async function readFooter(file: Parts, byteLength: number): Promise<Footer> {
  if (byteLength < magic.length + tailBytes) throw truncated()
  const tail = await bytesAt(file, byteLength - tailBytes, tailBytes)
  if (!tail.subarray(4).equals(magic)) throw truncated()
  const footerBytes = tail.readUInt32LE()
  const position = byteLength - tailBytes - footerBytes
  if (position < magic.length || footerBytes > footerBytesMax) {
    throw new DamagedFile('corrupt-file', `the footer cannot have ${footerBytes} bytes`)
  }
  const bytes = await bytesAt(file, position, footerBytes + tailBytes)
  try {
    const metadata = parquetMetadata(bytes, { geoparquet: false })
    return { metadata, groups: groupsOf(metadata), position }
  } catch (error) {
    throw new DamagedFile('corrupt-file', `the footer cannot be read: ${(error as Error).message}`, error)
  }
}

const truncated = () => new DamagedFile('truncated-file', 'the file ends without the footer of a Parquet file')

function groupsOf({ row_groups }: FileMetaData): RowGroup[] {
  let rowNext = 0
  return row_groups.map((group) => {
    const columns = group.columns.map(({ meta_data }) => {
      if (meta_data === undefined) throw new Error('a column has no metadata')
      return meta_data
    })
    const sum = (of: (column: ColumnMetaData) => bigint) => natural(columns.reduce((total, one) => total + of(one), 0n))
    const rows = natural(group.num_rows)
    const rowFirst = rowNext
    rowNext += rows
    return {
      rowFirst,
      rows,
      columns,
      packedBytes: sum((column) => column.total_compressed_size),
      unpackedBytes: sum((column) => column.total_uncompressed_size),
      values: sum((column) => column.num_values),
    }
  })
}

function natural(value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`${value} is no count`)
  return Number(value)
}

/** Exactly `length` bytes in a buffer of their own, or DamagedFile. */
export async function bytesAt(file: Parts, position: number, length: number): Promise<Buffer<ArrayBuffer>> {
  const bytes = await file.at(position, length)
  if (bytes.length < length) throw truncated()
  return bytes
}
