import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { WinnowError } from '../runtime/errors.ts'

/** Bytes read at once. */
const blockBytes = 1 << 20
/** Longer lines are skipped: an input without line breaks must not fill the memory. */
export const lineBytesMax = 16 << 20

/** A line without its line break: `bytes` from `start` to `end`; null where it was longer than `lineBytesMax`. */
export type OnLine = (bytes: Buffer | null, start: number, end: number, line: number) => void

const newline = 0x0a

/**
 * Calls `onLine` for every line of a file, plain or, by its extension, .gz; lines count from 1 and the last needs no line break.
 * @param onBlock called between blocks, for progress and for ending early by an exception
 * @throws WinnowError BAD_DATA naming the file where it cannot be read or ends within its compression
 */
export async function readLines(file: string, onLine: OnLine, onBlock: () => void): Promise<void> {
  const splitter = new LineSplitter(onLine)
  try {
    for await (const block of openFile(file)) {
      splitter.push(block)
      onBlock()
    }
  } catch (error) {
    if (error instanceof WinnowError) throw error
    throw new WinnowError('BAD_DATA', `${file}: cannot be read to its end: ${(error as Error).message}`, {
      hint: 'Check that the file is there, readable, and, if compressed, complete.',
      cause: error,
    })
  }
  splitter.end()
}

function openFile(file: string): AsyncIterable<Buffer> {
  const source = createReadStream(file, { highWaterMark: blockBytes })
  if (!file.endsWith('.gz')) return source
  const inflated = createGunzip({ chunkSize: blockBytes })
  // An error of either stream ends the other, and the loop that reads sees it.
  pipeline(source, inflated, () => undefined)
  return inflated
}

/** Cuts blocks into lines. What is left of a block waits for the next ones. */
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
