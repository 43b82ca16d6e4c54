import { type Compression, decompressed } from './compression/compression.ts'
import type { Input } from './input.ts'
import { type Line, type LineLimits, LineSplitter } from './lines.ts'
import type { IngestProgress } from './progress.ts'

/** Some rows of a source, as JSON lines. */
export interface RowChunk {
  readonly lines: readonly Line[]
  /** Length of the rows, unpacked. */
  readonly byteLength: number
}

/** The rows of a source in order, whatever its format; can be read once. */
export interface RowReader {
  /** Rows that ended so far, and so the number of the row being read. */
  readonly rows: number
  /** What a row of it is called: line or row. */
  readonly unit: 'line' | 'row'
  /** Throws DamagedFile if the source breaks off. */
  chunks(): AsyncGenerator<RowChunk>
  /** The unfinished row at the point where a damaged file breaks off. */
  rest(): Buffer
}

/** JSON lines, plain or compressed. */
export function lineReader(
  input: Input,
  compression: Compression,
  limits: LineLimits,
  progress: Pick<IngestProgress, 'readCompressed'>,
): RowReader {
  const splitter = new LineSplitter(limits)
  return {
    unit: 'line',
    get rows() {
      return splitter.rows
    },
    rest: () => splitter.rest(),
    async *chunks() {
      for await (const chunk of decompressed({ ...input, bytes: counted(input.bytes, progress) }, compression)) {
        yield { lines: splitter.push(chunk), byteLength: chunk.length }
      }
      const last = splitter.end()
      if (last !== null) yield { lines: [last], byteLength: 0 }
    },
  }
}

async function* counted(
  input: AsyncIterable<Buffer>,
  progress: Pick<IngestProgress, 'readCompressed'>,
): AsyncGenerator<Buffer> {
  for await (const chunk of input) {
    progress.readCompressed(chunk.length)
    yield chunk
  }
}
