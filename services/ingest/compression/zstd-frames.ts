/**
 * Finds where each Zstandard frame ends (RFC 8878, 3.1) without decompressing anything.
 * Needed because Node's decompressor silently drops what follows the first frame in a chunk, and many tools (pzstd, `zstd -T` with
 * long inputs, `cat a.zst b.zst`) write several frames.
 */

const magic = 0xfd2fb528
const skippableMagic = 0x184d2a50

/** Log2 of the largest window a frame may need in memory: that of `zstd --long=31`, and the most that the library takes. */
export const windowLogMax = 31

export interface FrameSlice {
  readonly bytes: Buffer
  /** The frame's last slice. */
  readonly last: boolean
  /** Where it ends in the file. */
  readonly end: number
}

/** What comes next in the file: a header, which must be seen whole, or bytes to pass on. */
type Expecting = 'magic' | 'descriptor' | 'frameHeader' | 'skipSize' | 'block' | 'checksum'

export class ZstdFrames {
  /** Bytes of the file seen so far. */
  position = 0
  #expecting: Expecting = 'magic'
  #header = Buffer.alloc(0)
  #headerBytes = 4
  /** Bytes to pass on before the next header. */
  #passing = 0
  #skipping = false
  #lastBlock = false
  #descriptor = 0

  /** Whether the file may end here. */
  get between(): boolean {
    return this.#expecting === 'magic' && this.#passing === 0 && this.#header.length === 0
  }

  /**
   * The slices of frames in this chunk; skippable frames, and zero bytes between frames, are left out. Must be read to its end before
   * the next chunk. Throws an Error, after the slices before, at bytes that are not a frame and at frames that cannot be unpacked.
   */
  *push(chunk: Buffer): Generator<FrameSlice> {
    let rest = chunk
    while (rest.length > 0) {
      if (this.between && rest[0] === 0) {
        rest = rest.subarray(1)
        this.position++
        continue
      }
      const wanted = this.#passing > 0 ? this.#passing : this.#headerBytes - this.#header.length
      const part = rest.subarray(0, wanted)
      rest = rest.subarray(part.length)
      this.position += part.length
      if (this.#passing > 0) {
        this.#passing -= part.length
        const last = this.#atEnd
        if (!this.#skipping) yield { bytes: part, last, end: this.position }
        if (last || (this.#passing === 0 && this.#skipping)) this.#startFrame()
        continue
      }
      this.#header = Buffer.concat([this.#header, part])
      if (this.#header.length < this.#headerBytes) continue
      const header = this.#header
      this.#header = Buffer.alloc(0)
      const passOn = this.#readHeader(header)
      const last = this.#atEnd
      if (passOn !== null) yield { bytes: passOn, last, end: this.position }
      if (last) this.#startFrame()
    }
  }

  /** Whether what was just passed on ends its frame. */
  get #atEnd(): boolean {
    return this.#lastBlock && this.#passing === 0 && this.#expecting !== 'checksum'
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
        if ((word & 0xfffffff0) >>> 0 !== skippableMagic) {
          throw new Error(`what follows from byte ${this.position - 3} on is not Zstandard`)
        }
        this.#expect('skipSize', 4)
        return null
      }
      case 'skipSize':
        this.#skipping = true
        this.#passing = header.readUInt32LE()
        if (this.#passing === 0) this.#startFrame()
        return null
      case 'descriptor': {
        this.#descriptor = header[0]!
        const { windowBytes, dictionaryBytes, sizeBytes } = partsOf(this.#descriptor)
        const bytes = windowBytes + dictionaryBytes + sizeBytes
        if (bytes === 0) this.#expect('block', 3)
        else this.#expect('frameHeader', bytes)
        return header
      }
      case 'frameHeader':
        checkFrame(header, this.#descriptor)
        this.#expect('block', 3)
        return header
      case 'block': {
        const word = header.readUIntLE(0, 3)
        const runLength = ((word >> 1) & 3) === 1
        this.#lastBlock = (word & 1) === 1
        this.#passing = runLength ? 1 : word >> 3
        // A slice of its own: if it is wrong, the block before it has already been yielded.
        if (this.#lastBlock && (this.#descriptor & 4) !== 0) this.#expect('checksum', 4)
        return header
      }
      case 'checksum':
        this.#expect('magic', 4)
        return header
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

/** Lengths of the parts of a frame header after its descriptor. */
function partsOf(descriptor: number) {
  const singleSegment = (descriptor & 0x20) !== 0
  return {
    windowBytes: singleSegment ? 0 : 1,
    dictionaryBytes: [0, 1, 2, 4][descriptor & 3]!,
    sizeBytes: [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!,
  }
}

/** Reported by name, because the decompressor's own errors for these are unclear. */
function checkFrame(header: Buffer, descriptor: number) {
  const { windowBytes, dictionaryBytes } = partsOf(descriptor)
  const windowLog = windowBytes === 0 ? 0 : 10 + (header[0]! >> 3)
  if (windowLog > windowLogMax) {
    throw new Error(`the Zstandard frame needs a window of 2^${windowLog} bytes; at most 2^${windowLogMax} are given`)
  }
  const dictionary = dictionaryBytes === 0 ? 0 : header.readUIntLE(windowBytes, dictionaryBytes)
  if (dictionary !== 0) throw new NeedsDictionary(dictionary)
}

export class NeedsDictionary extends Error {
  readonly dictionary: number

  constructor(dictionary: number) {
    super(`the Zstandard frame was made with the dictionary ${dictionary}, which is not in the file`)
    this.dictionary = dictionary
  }
}
