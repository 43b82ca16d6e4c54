import type { BatchLimits } from './batch.ts'
import { deadLetterBytesKept } from './letters.ts'
import type { LineLimits } from './lines.ts'
import type { ParquetLimits } from './parquet/read.ts'

export interface IngestLimits extends BatchLimits, LineLimits, ParquetLimits {}

export const defaultLimits: IngestLimits = {
  rowsMax: 500,
  bytesMax: 2 * 1024 * 1024,
  lineBytesMax: 64 * 1024 * 1024,
  bytesKept: deadLetterBytesKept,
  rowGroupBytesMax: 2 ** 30,
  rowGroupValuesMax: 2 ** 25,
  rowGroupMemoryMax: 4 * 2 ** 30,
  rowGroupMsMax: 5 * 60_000,
}
