/**
 * Finds where each Zstandard frame ends (RFC 8878, 3.1) without decompressing anything.
 * Needed because Node's decompressor drops, silently, what follows the first frame in a chunk, and many tools (pzstd, `zstd -T` with
 * long inputs, `cat a.zst b.zst`) write several frames.
 */

const magic = 0xfd2fb528
const skippableMagic = 0x184d2a50

export interface FrameSlice {
  readonly bytes: Buffer
  /** The frame's last slice. */
  readonly last: boolean
}

/** What stands next in the file: a header whose bytes must be seen whole, or bytes to pass on. */
type Expecting = 'magic' | 'descriptor' | 'skipSize' | 'block'

export class ZstdFrames {
  #expecting: Expecting = 'magic'
  #header = Buffer.alloc(0)
  #headerBytes = 4
  /** Bytes to pass on before the next header. */
  #passing = 0
  #skipping = false
  #lastBlock = false
  #checksumBytes = 0

  /** Whether the file may end here. */
  get between(): boolean {
    return this.#expecting === 'magic' && this.#passing === 0 && this.#header.length === 0
  }

  /** The slices of frames in this chunk; skippable frames are left out. Throws an Error on bytes that are no frame. */
  push(chunk: Buffer): FrameSlice[] {
    const slices: FrameSlice[] = []
    let rest = chunk
    while (rest.length > 0) {
      const wanted = this.#passing > 0 ? this.#passing : this.#headerBytes - this.#header.length
      const part = rest.subarray(0, wanted)
      rest = rest.subarray(part.length)
      if (this.#passing > 0) {
        this.#passing -= part.length
        const last = this.#passing === 0 && this.#lastBlock
        if (!this.#skipping) slices.push({ bytes: part, last })
        if (this.#passing === 0 && (this.#lastBlock || this.#skipping)) this.#startFrame()
        continue
      }
      this.#header = Buffer.concat([this.#header, part])
      if (this.#header.length < this.#headerBytes) continue
      const header = this.#header
      this.#header = Buffer.alloc(0)
      const passOn = this.#readHeader(header)
      if (passOn !== null) slices.push({ bytes: passOn, last: this.#lastBlock && this.#passing === 0 })
      if (this.#lastBlock && this.#passing === 0) this.#startFrame()
    }
    return slices
  }

  /** Sets what follows; the header itself when it belongs to a frame that is passed on. */
  #readHeader(header: Buffer): Buffer | null {
    switch (this.#expecting) {
      case 'magic': {
        const word = header.readUInt32LE()
        if (word === magic) {
          this.#expect('descriptor', 1)
          return header
        }
        if ((word & 0xfffffff0) >>> 0 !== skippableMagic) throw new Error('no Zstandard frame starts here')
        this.#expect('skipSize', 4)
        return null
      }
      case 'skipSize':
        this.#skipping = true
        this.#passing = header.readUInt32LE()
        if (this.#passing === 0) this.#startFrame()
        return null
      case 'descriptor': {
        const descriptor = header[0]!
        const singleSegment = (descriptor & 0x20) !== 0
        const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!
        const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!
        this.#checksumBytes = (descriptor & 4) !== 0 ? 4 : 0
        this.#passing = (singleSegment ? 0 : 1) + dictionaryBytes + sizeBytes
        this.#expect('block', 3)
        return header
      }
      case 'block': {
        const word = header.readUIntLE(0, 3)
        const runLength = ((word >> 1) & 3) === 1
        this.#lastBlock = (word & 1) === 1
        this.#passing = (runLength ? 1 : word >> 3) + (this.#lastBlock ? this.#checksumBytes : 0)
        return header
      }
    }
  }

  #expect(what: Expecting, bytes: number) {
    this.#expecting = what
    this.#headerBytes = bytes
  }

  #startFrame() {
    this.#expect('magic', 4)
    this.#skipping = false
    this.#lastBlock = false
  }
}
