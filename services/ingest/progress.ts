import type { Clock } from '../runtime/clock.ts'

/** What ingest tells while it works. */
export interface IngestProgress {
  /** Lengths on disk of the sources to be read; null: standard input. */
  begin(byteLengths: readonly (number | null)[]): void
  source(name: string): void
  /** Bytes as they are on disk; the total of `begin` is in these. */
  readCompressed(bytes: number): void
  /** @param rowsOfSource rows of the present source so far, those of an earlier ingest included */
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

export interface Terminal {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

const plainEveryMs = 2000
const barEveryMs = 100
const barCells = 24

/** A bar redrawn in place on a terminal, a plain line every two seconds elsewhere. */
export function createProgress(terminal: Terminal, clock: Clock): IngestProgress {
  const startedMs = clock()
  let drawnMs = startedMs
  let bytesTotal: number | null = 0
  let [compressed, bytes, rowsBefore, rowsOfSource, documents, rejected] = [0, 0, 0, 0, 0, 0]
  let [sources, source, name] = [0, 0, '']

  const line = () => {
    const seconds = Math.max((clock() - startedMs) / 1000, 0.001)
    const share = bytesTotal === null || bytesTotal === 0 ? null : Math.min(compressed / bytesTotal, 1)
    const rows = rowsBefore + rowsOfSource
    return [
      ...(share === null
        ? []
        : [`${terminal.isTTY ? `${bar(share)} ` : ''}${String(Math.floor(share * 100)).padStart(3)}%`]),
      `${whole(rows)} rows`,
      `${whole(rows / seconds)} rows/s`,
      `${(bytes / 1e6 / seconds).toFixed(1)} MB/s`,
      ...(share === null || share === 0 ? [] : [`ETA ${duration((seconds / share) * (1 - share))}`]),
      `${whole(documents)} documents`,
      ...(rejected === 0 ? [] : [`${whole(rejected)} rejected`]),
      sources > 1 ? `${name} (${source}/${sources})` : name,
    ].join('  ')
  }
  const draw = () => {
    drawnMs = clock()
    // One column less than there are: a full line would wrap, and the next redraw leave it standing.
    if (terminal.isTTY) terminal.write(`\r\x1b[2K${line().slice(0, (terminal.columns ?? 80) - 1)}`)
    else terminal.write(`${line()}\n`)
  }
  const tick = () => {
    if (clock() - drawnMs >= (terminal.isTTY ? barEveryMs : plainEveryMs)) draw()
  }

  return {
    begin(byteLengths) {
      sources = byteLengths.length
      bytesTotal = byteLengths.reduce((sum, length) => (sum === null || length === null ? null : sum + length), 0)
    },
    source(next) {
      rowsBefore += rowsOfSource
      rowsOfSource = 0
      source++
      name = next
    },
    readCompressed(count) {
      compressed += count
    },
    read(rows, count) {
      rowsOfSource = rows
      bytes += count
      tick()
    },
    wrote(newDocuments, newRejected) {
      documents += newDocuments
      rejected += newRejected
      tick()
    },
    end() {
      if (source === 0) return
      draw()
      if (terminal.isTTY) terminal.write('\n')
    },
  }
}

const bar = (share: number) => '█'.repeat(Math.round(share * barCells)).padEnd(barCells, '░')

const whole = (count: number) => Math.round(count).toLocaleString('en-US')

function duration(seconds: number): string {
  const whole = Math.ceil(seconds)
  const pad = (part: number) => String(part).padStart(2, '0')
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`
}
