/** Bytes of a file in slices of bounded length; what is not used of a slice can be put back. */
export class Slices {
  /** Where in the file the next slice begins. */
  position = 0
  /** Bytes from the start that are known to be good; set by the reader. */
  good = 0
  readonly #chunks: AsyncIterator<Buffer>
  readonly #sliceBytes: number
  #rest: Buffer = Buffer.alloc(0)

  constructor(input: AsyncIterable<Buffer>, sliceBytes: number) {
    this.#chunks = input[Symbol.asyncIterator]()
    this.#sliceBytes = sliceBytes
  }

  /** Null: the input has ended. */
  async next(): Promise<Buffer | null> {
    if (!(await this.#fill())) return null
    const slice = this.#rest.subarray(0, this.#sliceBytes)
    this.#rest = this.#rest.subarray(slice.length)
    this.position += slice.length
    return slice
  }

  /** Puts back the end of the last slice. */
  unread(bytes: Buffer) {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([bytes, this.#rest])
    this.position -= bytes.length
  }

  /** @returns whether anything follows */
  async skipZeros(): Promise<boolean> {
    while (await this.#fill()) {
      const zeros = this.#rest.findIndex((byte) => byte !== 0)
      const skipped = zeros === -1 ? this.#rest.length : zeros
      this.#rest = this.#rest.subarray(skipped)
      this.position += skipped
      if (zeros !== -1) return true
    }
    return false
  }

  async close() {
    await this.#chunks.return?.()
  }

  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next()
      if (next.done) return false
      this.#rest = next.value
    }
    return true
  }
}
