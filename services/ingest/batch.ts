import { DeadLetter, Document, topics } from '../../schemas/index.ts'
import type { Codec } from '../runtime/codec.ts'
import type { OutgoingRecord } from '../runtime/kafka/port.ts'
import { maxRecordBytes, recordBytes } from '../runtime/kafka/record-size.ts'
import { traceOfDocument } from '../runtime/tracing/trace-ids.ts'
import { documentId } from './document-id.ts'
import type { Line } from './lines.ts'
import type { Refusals } from './refusals.ts'
import { parseRow, type Rejection } from './row.ts'
import type { TokenCounter } from './token-counter.ts'

export interface BatchLimits {
  /** A transaction costs about 10 ms whatever is in it, so hundreds of rows share one. */
  readonly rowsMax: number
  /** Bounds memory (a batch is written while the next one fills) and what a kill can cost. */
  readonly bytesMax: number
  /** The share of documents that get a trace context; left out: none. */
  readonly traceRatio?: number
}

interface RowText {
  readonly row: number
  readonly text: string
  readonly meta: string
  /** A copy of the line, for the dead letter it may become. */
  readonly bytes: Buffer
}

export interface BatchOptions {
  /** The number of the source. */
  readonly source: number
  /** Where it is, for a person. */
  readonly file: string
  readonly limits: BatchLimits
  readonly textField: string
  /** Counts what is refused. */
  readonly refusals: Refusals
}

/** What is kept of refused bytes, so that with message, key and paths the dead letter fits into a record. */
export const deadLetterBytesKept = maxRecordBytes - 64 * 1024

/** The rows of one source that go into one transaction. */
export class Batch {
  readonly #options: BatchOptions
  readonly #rows: RowText[] = []
  readonly #deadLetters: DeadLetter[] = []
  #bytes = 0

  constructor(options: BatchOptions) {
    this.#options = options
  }

  get full(): boolean {
    const { rowsMax, bytesMax } = this.#options.limits
    return this.#rows.length + this.#deadLetters.length >= rowsMax || this.#bytes >= bytesMax
  }

  add(line: Line) {
    const row = parseRow(line, this.#options.textField)
    if ('reason' in row) this.reject(line.row, row, line.bytes)
    else this.#rows.push({ row: line.row, ...row, bytes: Buffer.from(line.bytes) })
    this.#bytes += line.bytes.length
  }

  /** Keeps a copy of what fits into a dead letter. */
  reject(row: number, rejection: Rejection, bytes: Buffer) {
    const { reason, message } = rejection
    const { file, refusals } = this.#options
    refusals.add(rejection)
    const value = Buffer.from(bytes.subarray(0, deadLetterBytesKept))
    const cut = value.length < bytes.length ? ` (the first ${value.length} of ${bytes.length} bytes are kept)` : ''
    this.#deadLetters.push({
      station: 'ingest',
      reason,
      message: message.toWellFormed() + cut,
      origin: `${file}:${row + 1}`,
      topic: null,
      partition: null,
      offset: null,
      file,
      line: row + 1,
      key: null,
      value,
    })
  }

  /** The records of the batch, and how many of them are documents and dead letters. */
  async encode(codec: Pick<Codec, 'encode'>, countTokens: TokenCounter) {
    const tokens = await countTokens(this.#rows.map((row) => row.text))
    const records: OutgoingRecord[] = []
    for (const [index, { row, text, meta, bytes }] of this.#rows.entries()) {
      const docId = documentId(this.#options.source, row)
      const value = codec.encode(Document, { docId, text, tokens: tokens[index]!, meta })
      const { traceRatio } = this.#options.limits
      const trace = traceRatio === undefined ? undefined : traceOfDocument(docId, traceRatio)
      const record = {
        topic: topics.documents.name,
        key: docId.toString(),
        value,
        ...(trace !== undefined && { trace }),
      }
      const size = recordBytes(record)
      if (size <= maxRecordBytes) records.push(record)
      else this.reject(row, tooLarge(size), bytes)
    }
    const documents = records.length
    for (const letter of this.#deadLetters) {
      records.push({ topic: topics.deadLetters.name, key: letter.origin, value: codec.encode(DeadLetter, letter) })
    }
    return { records, documents, rejected: this.#deadLetters.length }
  }
}

const tooLarge = (bytes: number): Rejection => ({
  reason: 'too-large',
  message: `the document has ${bytes} bytes as a record, the limit is ${maxRecordBytes}`,
})
