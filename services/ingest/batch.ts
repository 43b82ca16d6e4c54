import { Document, type DocumentId, topics } from '../../schemas/index.ts'
import type { Codec } from '../runtime/codec.ts'
import type { OutgoingRecord } from '../runtime/kafka/port.ts'
import { messageBytesDefault, packingOf, recordBytes } from '../runtime/kafka/record-size.ts'
import { traceOfDocument } from '../runtime/tracing/trace-ids.ts'
import { isSealed } from '../texts/envelope.ts'
import type { Sealing } from '../texts/texts.ts'
import { documentId, pieceMax } from './document-id.ts'
import { letterOf, type RefusedRow } from './letters.ts'
import type { Line } from './lines.ts'
import { piecesOf } from './pieces.ts'
import type { Refusals } from './refusals.ts'
import { parseRow, type Rejection } from './row.ts'
import type { TokenCounter } from './token-counter.ts'

export interface BatchLimits {
  /** A transaction costs about 10 ms whatever is in it, so hundreds of rows share one. */
  readonly rowsMax: number
  /** Bounds memory (a batch is written while the next one fills) and what a kill can cost. */
  readonly bytesMax: number
  /** The share of documents that get a trace context; default: none. */
  readonly traceRatio?: number
  /** `max.message.bytes` of the topics of documents and of dead letters; default: the broker's. */
  readonly documentBytesMax?: number
  readonly letterBytesMax?: number
  /** Rows with more bytes of text than this become several documents; default: one document, or rejected. */
  readonly pieceBytes?: number | undefined
}

interface RowText {
  readonly row: number
  /** The text, or its pieces. */
  readonly texts: readonly string[]
  readonly meta: string
  /** A copy of the line, for the dead letter it may become. */
  readonly bytes: Buffer
}

export interface BatchOptions {
  /** The number of the source. */
  readonly source: number
  /** Where it is, for people. */
  readonly file: string
  readonly limits: BatchLimits
  readonly textField: string
  /** Counts rejected rows. */
  readonly refusals: Refusals
}

/** The rows of one source that go into one transaction. */
export class Batch {
  readonly #options: BatchOptions
  #rows: RowText[] = []
  #refused: RefusedRow[] = []
  #bytes = 0

  constructor(options: BatchOptions) {
    this.#options = options
  }

  get full(): boolean {
    const { rowsMax, bytesMax } = this.#options.limits
    return this.#rows.length + this.#refused.length >= rowsMax || this.#bytes >= bytesMax
  }

  add(line: Line) {
    const row = parseRow(line, this.#options.textField)
    if ('reason' in row) this.reject(line.row, row, line.bytes)
    else {
      const { pieceBytes } = this.#options.limits
      const texts = pieceBytes === undefined ? [row.text] : piecesOf(row.text, pieceBytes)
      this.#rows.push({ row: line.row, texts, meta: row.meta, bytes: Buffer.from(line.bytes) })
    }
    this.#bytes += line.bytes.length
  }

  /** Keeps a copy of the bytes. */
  reject(row: number, rejection: Rejection, bytes: Buffer) {
    const { file, refusals } = this.#options
    refusals.add(rejection)
    this.#refused.push({ file, row, rejection, bytes: Buffer.from(bytes) })
  }

  /**
   * The records of the batch, how many of them are documents and dead letters, and the keys that have to be kept before the records are committed.
   * What is counted of a text is counted before it is encrypted. Dead letters hold their rows as they were. @param sealing left out: texts stay as
   * they are
   */
  async encode(codec: Pick<Codec, 'encode'>, countTokens: TokenCounter, sealing?: Sealing) {
    const tokens = await countTokens(this.#rows.flatMap(({ texts }) => texts))
    const { documentBytesMax = messageBytesDefault, letterBytesMax = messageBytesDefault } = this.#options.limits
    const sealed = this.#sealed(sealing)
    const records: OutgoingRecord[] = []
    let counted = 0
    for (const { row, texts, meta, bytes } of this.#rows) {
      const ofRow = texts.map((text, piece) => {
        const at = counted++
        return this.#recordOf(codec, row, piece, { text: sealed?.texts[at] ?? text, meta, tokens: tokens[at]! })
      })
      const largest = ofRow.find((record) => packingOf(record, documentBytesMax) === 'too-large')
      if (sealing === undefined && texts.some(isSealed)) this.reject(row, alreadySealed, bytes)
      else if (largest !== undefined) this.reject(row, tooLarge(recordBytes(largest), documentBytesMax), bytes)
      else if (ofRow.length > pieceMax + 1) this.reject(row, tooManyPieces(ofRow.length), bytes)
      else records.push(...ofRow)
    }
    const documents = records.length
    for (const refused of this.#refused) records.push(letterOf(refused, codec, letterBytesMax))
    return { records, keys: sealed?.keys ?? [], documents, rejected: this.#refused.length }
  }

  #sealed(sealing: Sealing | undefined) {
    return sealing?.seal(
      this.#rows.flatMap(({ row, texts }) => texts.map((text, piece) => ({ docId: this.#idOf(row, piece), text }))),
    )
  }

  /** One piece too many has no id, so its row is rejected. */
  #idOf(row: number, piece: number): DocumentId {
    return documentId(this.#options.source, row, Math.min(piece, pieceMax))
  }

  #recordOf(
    codec: Pick<Codec, 'encode'>,
    row: number,
    piece: number,
    document: Omit<Document, 'docId'>,
  ): OutgoingRecord {
    const { limits } = this.#options
    const docId = this.#idOf(row, piece)
    const value = codec.encode(Document, { docId, ...document })
    const trace = limits.traceRatio === undefined ? undefined : traceOfDocument(docId, limits.traceRatio)
    return { topic: topics.documents.name, key: docId.toString(), value, ...(trace !== undefined && { trace }) }
  }
}

/** Whoever reads it would ask for a key that nobody has. */
const alreadySealed: Rejection = {
  reason: 'sealed-text',
  message: 'the text is one that an ingest with corpus.encryption has written: give the file that it was ingested from',
}

const tooLarge = (bytes: number, limit: number): Rejection => ({
  reason: 'too-large',
  message: `the document has ${bytes} bytes as a record, and its topic accepts ${limit}, compressed: corpus.recordBytesMax raises that, --split-long splits long documents`,
})

const tooManyPieces = (pieces: number): Rejection => ({
  reason: 'too-large',
  message: `the document has ${pieces} pieces, an id has room for ${pieceMax + 1}: raise corpus.pieceBytes`,
})
