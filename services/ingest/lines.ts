/** One line that is not blank. */
export interface Line {
  /** Counts every line of the file from 0, blank ones included. */
  readonly row: number
  /** Without its line end. For a line that is too long, only the first `bytesKept`. May be a view of the chunk it came in. */
  readonly bytes: Buffer
  /** Length of the whole line, even if it is too long. */
  readonly byteLength: number
  readonly tooLong: boolean
}

export interface LineLimits {
  /** Longer lines are not held in memory: a line must be whole to be parsed, and a decompression bomb is one line. */
  readonly lineBytesMax: number
  /** How much of a too long line is kept, to show it to people. */
  readonly bytesKept: number
}

const lineFeed = 0x0a
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf])

/** Splits chunks of bytes into lines, holding at most one line. Ignores encodings, except for a leading byte order mark. */
export class LineSplitter {
  /** Lines that ended so far, and so the number of the line being read. */
  rows = 0
  readonly #limits: LineLimits
  #parts: Buffer[] = []
  #partsBytes = 0
  #lineBytes = 0

  constructor(limits: LineLimits) {
    this.#limits = limits
  }

  /** The lines that end in this chunk. */
  push(chunk: Buffer): Line[] {
    const lines: Line[] = []
    let start = 0
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      this.#add(chunk.subarray(start, end))
      const line = this.#endLine()
      if (line !== null) lines.push(line)
      start = end + 1
    }
    // Copied, because a chunk may be a view of a buffer many times as long as what is left of it.
    if (start < chunk.length) this.#add(start === 0 ? chunk : Buffer.from(chunk.subarray(start)))
    return lines
  }

  /** The last line, if the file does not end in a line end. Null if there is none, or only white space. */
  end(): Line | null {
    return this.#lineBytes === 0 ? null : this.#endLine()
  }

  /** The unfinished line at the point where a damaged file breaks off. */
  rest(): Buffer {
    return Buffer.concat(this.#parts)
  }

  #add(part: Buffer) {
    const { lineBytesMax, bytesKept } = this.#limits
    if (part.length === 0) return
    this.#lineBytes += part.length
    if (this.#lineBytes <= lineBytesMax || this.#partsBytes < bytesKept) {
      this.#parts.push(part)
      this.#partsBytes += part.length
    }
    if (this.#lineBytes > lineBytesMax && this.#partsBytes > bytesKept) {
      this.#parts = [Buffer.concat(this.#parts).subarray(0, bytesKept)]
      this.#partsBytes = bytesKept
    }
  }

  #endLine(): Line | null {
    const [only = Buffer.alloc(0), ...more] = this.#parts
    const row = this.rows++
    const byteLength = this.#lineBytes
    const tooLong = byteLength > this.#limits.lineBytesMax
    let bytes = more.length === 0 ? only : Buffer.concat(this.#parts)
    this.#parts = []
    this.#partsBytes = 0
    this.#lineBytes = 0
    if (row === 0 && bytes.subarray(0, 3).equals(byteOrderMark)) bytes = bytes.subarray(3)
    return !tooLong && isBlank(bytes) ? null : { row, bytes, byteLength, tooLong }
  }
}

/** Only spaces, tabs and carriage returns; so a Windows line end is not a line of its own. */
function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false
  return true
}
