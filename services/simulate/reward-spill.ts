import { closeSync, openSync, readSync, writeSync } from 'node:fs'

/** Actor and document as uint32, the reward as float64. */
const recordBytes = 16
/** Records of one round buffered before a write: 64 KiB. */
const recordsPerPiece = 4096
/** Bytes buffered over all rounds before all are written, so that many rounds cannot fill the memory. */
const waitingBytesMax = 64 << 20

interface RoundSpill {
  waiting: DataView
  records: number
  /** All its rewards, by actor. */
  counts: number[]
  pieces: { position: number; bytes: number }[]
}

/** Accepted rewards by round in a temporary file, since they may exceed the memory. */
export class RewardSpill {
  readonly #descriptor: number
  readonly #rounds = new Map<number, RoundSpill>()
  #end = 0
  #waitingBytes = 0

  constructor(path: string) {
    this.#descriptor = openSync(path, 'w+')
  }

  /** The rounds that were opened, ascending. */
  get rounds(): number[] {
    return [...this.#rounds.keys()].sort((a, b) => a - b)
  }

  /** Makes a round exist, with or without rewards. */
  open(round: number): void {
    if (this.#rounds.has(round)) return
    this.#rounds.set(round, { waiting: new DataView(new ArrayBuffer(0)), records: 0, counts: [], pieces: [] })
  }

  add(round: number, actor: number, document: number, reward: number): void {
    const spill = this.#rounds.get(round)!
    if (spill.records * recordBytes === spill.waiting.byteLength) this.#makeRoom(spill)
    spill.counts[actor] = (spill.counts[actor] ?? 0) + 1
    const at = spill.records++ * recordBytes
    spill.waiting.setUint32(at, actor)
    spill.waiting.setUint32(at + 4, document)
    spill.waiting.setFloat64(at + 8, reward)
  }

  /** How many rewards of a round an actor has. */
  count(round: number, actor: number): number {
    return this.#rounds.get(round)?.counts[actor] ?? 0
  }

  /** Calls back for every reward of a round, in the order of `add`. */
  read(round: number, onReward: (actor: number, document: number, reward: number) => void): void {
    const spill = this.#rounds.get(round)
    if (spill === undefined) return
    this.#write(spill)
    for (const { position, bytes } of spill.pieces) {
      const piece = Buffer.alloc(bytes)
      for (let read = 0; read < bytes; ) read += readSync(this.#descriptor, piece, read, bytes - read, position + read)
      for (let at = 0; at < bytes; at += recordBytes) {
        onReward(piece.readUInt32BE(at), piece.readUInt32BE(at + 4), piece.readDoubleBE(at + 8))
      }
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  #makeRoom(spill: RoundSpill): void {
    if (spill.records === recordsPerPiece) {
      this.#write(spill)
      return
    }
    const records = Math.min(recordsPerPiece, Math.max(16, spill.records * 4))
    const bytes = records * recordBytes
    this.#waitingBytes += bytes - spill.waiting.byteLength
    spill.waiting = new DataView((spill.waiting.buffer as ArrayBuffer).transfer(bytes))
    if (this.#waitingBytes <= waitingBytesMax) return
    for (const other of this.#rounds.values()) if (other !== spill) this.#write(other, true)
  }

  #write(spill: RoundSpill, release = false): void {
    const bytes = spill.records * recordBytes
    if (bytes > 0) {
      const piece = new Uint8Array(spill.waiting.buffer, 0, bytes)
      for (let written = 0; written < bytes; ) {
        written += writeSync(this.#descriptor, piece, written, bytes - written, this.#end + written)
      }
      spill.pieces.push({ position: this.#end, bytes })
      this.#end += bytes
      spill.records = 0
    }
    if (!release) return
    this.#waitingBytes -= spill.waiting.byteLength
    spill.waiting = new DataView(new ArrayBuffer(0))
  }
}
