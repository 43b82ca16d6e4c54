import type { Clock } from '../runtime/clock.ts'
import { formatCount, type HowFar, ProgressLine, type Terminal } from '../terminal/progress.ts'

export type { Terminal } from '../terminal/progress.ts'

/** What ingest reports while it works. */
export interface IngestProgress {
  /** Lengths on disk of the sources to be read; null: standard input. */
  begin(byteLengths: readonly (number | null)[]): void
  source(name: string): void
  /** Bytes as they are on disk; the total of `begin` is in these. */
  readCompressed(bytes: number): void
  /** @param rowsOfSource rows of the current source so far, those of an earlier ingest included */
  read(rowsOfSource: number, bytes: number): void
  wrote(documents: number, rejected: number): void
  end(): void
}

export const noProgress: IngestProgress = {
  begin() {},
  source() {},
  readCompressed() {},
  read() {},
  wrote() {},
  end() {},
}

/** A bar redrawn in place on a terminal, a plain line every two seconds elsewhere. */
export function createProgress(terminal: Terminal, clock: Clock): IngestProgress {
  const line = new ProgressLine(terminal, clock)
  let bytesTotal: number | null = 0
  let [compressed, bytes, rowsBefore, rowsOfSource, documents, rejected] = [0, 0, 0, 0, 0, 0]
  let [sources, source, name] = [0, 0, '']
  /** Of the sources that are finished. */
  let bytesBefore = 0
  let ended = false

  /** A source is read ahead of its rows, so the rows of those before tell better; the end is not claimed before it. */
  const share = (rows: number): number | null => {
    if (bytesTotal === null || bytesTotal === 0) return null
    if (ended) return 1
    const byRows = rowsBefore === 0 || bytesBefore === 0 ? 1 : (rows / rowsBefore) * (bytesBefore / bytesTotal)
    return Math.min(compressed / bytesTotal, byRows, 0.99)
  }

  const howFar = (): HowFar => {
    const rows = rowsBefore + rowsOfSource
    return {
      share: share(rows),
      parts: [
        `${formatCount(rows)} rows`,
        `${formatCount(rows / line.seconds)} rows/s`,
        `${(bytes / 1e6 / line.seconds).toFixed(1)} MB/s`,
        `${formatCount(documents)} documents`,
        ...(rejected === 0 ? [] : [`${formatCount(rejected)} rejected`]),
        sources > 1 ? `${name} (${source}/${sources})` : name,
      ],
    }
  }

  return {
    begin(byteLengths) {
      sources = byteLengths.length
      bytesTotal = byteLengths.reduce((sum, length) => (sum === null || length === null ? null : sum + length), 0)
    },
    source(next) {
      rowsBefore += rowsOfSource
      rowsOfSource = 0
      bytesBefore = compressed
      source++
      name = next
    },
    readCompressed(count) {
      compressed += count
    },
    read(rows, count) {
      rowsOfSource = rows
      bytes += count
      line.tick(howFar)
    },
    wrote(newDocuments, newRejected) {
      documents += newDocuments
      rejected += newRejected
      line.tick(howFar)
    },
    end() {
      ended = true
      if (source > 0) line.end(howFar(), true)
    },
  }
}
