import { closeSync, openSync, writeSync } from 'node:fs'

/** Bytes gathered before a write. */
const bufferBytes = 1 << 20

/** A text file written sequentially in large pieces. Synchronous: nothing piles up in memory behind a slow disk. */
export class BufferedFile {
  readonly #descriptor: number
  #pieces: string[] = []
  #length = 0

  constructor(path: string) {
    this.#descriptor = openSync(path, 'w')
  }

  write(text: string): void {
    this.#pieces.push(text)
    this.#length += text.length
    if (this.#length >= bufferBytes) this.#flush()
  }

  close(): void {
    try {
      this.#flush()
    } finally {
      closeSync(this.#descriptor)
    }
  }

  #flush(): void {
    const bytes = Buffer.from(this.#pieces.join(''), 'utf8')
    this.#pieces = []
    this.#length = 0
    for (let written = 0; written < bytes.length; ) written += writeSync(this.#descriptor, bytes, written)
  }
}
