import { unpackedBytes } from '../ingest/lines-of-file.ts'
import { WinnowError } from '../runtime/errors.ts'

/** Longer lines are skipped: an input without line breaks must not fill the memory. */
export const lineBytesMax = 16 << 20

/** A line without its line break: `bytes` from `start` to `end`; null where it was longer than `lineBytesMax`. */
export type OnLine = (bytes: Buffer | null, start: number, end: number, line: number) => void

const newline = 0x0a

/**
 * Calls `onLine` for every line of a file, in any format that ingest reads; lines count from 1 and the last needs no line break. A row of
 * Parquet is its JSON line.
 * @param onBlock called between blocks, for progress and for ending early by an exception
 * @throws WinnowError CONFIGURATION for a file that cannot be read; BAD_DATA naming the one that breaks off
 */
export async function readLines(file: string, onLine: OnLine, onBlock: () => void): Promise<void> {
  const splitter = new LineSplitter(onLine)
  try {
    for await (const block of unpackedBytes(file)) {
      splitter.push(block)
      onBlock()
    }
  } catch (error) {
    if (error instanceof WinnowError) throw error
    throw new WinnowError('BAD_DATA', `${file}: cannot be read to its end: ${(error as Error).message}`, {
      hint: 'Check that the file is complete and was copied without damage.',
      cause: error,
    })
  }
  splitter.end()
}

/** Splits blocks into lines, carrying over incomplete ones. */
class LineSplitter {
  readonly #onLine: OnLine
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #skipping = false
  #line = 0

  constructor(onLine: OnLine) {
    this.#onLine = onLine
  }

  push(block: Buffer): void {
    let start = 0
    if (this.#waitingBytes > 0 || this.#skipping) {
      const end = block.indexOf(newline)
      this.#wait(end === -1 ? block : block.subarray(0, end))
      if (end === -1) return
      this.#flush()
      start = end + 1
    }
    for (;;) {
      const end = block.indexOf(newline, start)
      if (end === -1) break
      this.#onLine(block, start, end, ++this.#line)
      start = end + 1
    }
    this.#wait(block.subarray(start))
  }

  end(): void {
    if (this.#waitingBytes > 0 || this.#skipping) this.#flush()
  }

  #wait(rest: Buffer): void {
    if (this.#skipping || rest.length === 0) return
    // Copied: a stream may reuse its blocks.
    this.#waiting.push(Buffer.from(rest))
    this.#waitingBytes += rest.length
    if (this.#waitingBytes <= lineBytesMax) return
    this.#waiting = []
    this.#waitingBytes = 0
    this.#skipping = true
  }

  #flush(): void {
    this.#line += 1
    if (this.#skipping) this.#onLine(null, 0, 0, this.#line)
    else {
      const bytes = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting)
      this.#onLine(bytes, 0, bytes.length, this.#line)
    }
    this.#waiting = []
    this.#waitingBytes = 0
    this.#skipping = false
  }
}
