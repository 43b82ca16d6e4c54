import type { Transform } from 'node:stream'

export interface Given {
  /** What the bytes unpacked to, in pieces of at most the decompressor's `chunkSize`. */
  readonly out: readonly Buffer[]
  /** Why the decompressor stopped. What it unpacked from the last bytes before it stopped is lost. */
  readonly error: Error | null
}

/**
 * One of Node's decompressors, given one slice of bytes at a time. As a stream it would drop what it unpacked before an error and nobody has
 * read yet; here everything from the slices before is there when a slice fails.
 */
export class Engine {
  /** The compressed data is complete: no more is taken. */
  ended = false
  /** Bytes given so far. */
  given = 0
  readonly #stream: Transform & { readonly bytesWritten: number }
  #out: Buffer[] = []
  #failed: (error: Error) => void = () => {}

  constructor(stream: Transform & { readonly bytesWritten: number }) {
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => this.#out.push(chunk))
    stream.on('end', () => {
      this.ended = true
    })
    // zlib forgets the callback of the write that failed.
    stream.on('error', (error) => this.#failed(error))
  }

  /** The bytes given that lie after the end of the compressed data. */
  get untaken(): number {
    return this.given - this.#stream.bytesWritten
  }

  async give(slice: Buffer): Promise<Given> {
    this.given += slice.length
    return await this.#answer((done) => this.#stream.write(slice, done))
  }

  /** The input has ended: an error if that is too early. */
  async finish(): Promise<Given> {
    return await this.#answer((done) => {
      this.#stream.once('end', () => done())
      this.#stream.end()
    })
  }

  close() {
    this.#stream.destroy()
  }

  async #answer(ask: (done: (error?: Error | null) => void) => unknown): Promise<Given> {
    const error = await new Promise<Error | null>((resolve) => {
      this.#failed = resolve
      ask((failure) => resolve(failure ?? null))
    })
    const out = this.#out
    this.#out = []
    return { out, error }
  }
}
