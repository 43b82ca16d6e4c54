import type { TokenIds } from '../model/sequences.ts'

/** A position in the token stream of documents: token `token` of document `document`, whose last token is the end. */
export interface StreamPosition {
  /** Global index into the selection; continues past its end. */
  document: number
  token: number
}

export interface PackedBatch {
  /** [batch, context + 1], row-major. The last token of a row is the first of the next. */
  ids: Int32Array<ArrayBuffer>
  /** Where the next batch begins; packing the documents from there continues at the token. */
  position: StreamPosition
  /** Documents of which at least one token was in this or an earlier batch: SELECTION.md's m. */
  documentsRead: number
  /** Documents whose every token was. */
  documentsPassed: number
}

export interface PackOptions {
  /** Sequences in a batch. */
  batch: number
  /** Targets in a sequence. */
  context: number
  /** Id of the token that ends a document. Default: 0. */
  end?: number
  /** Where to begin; `documents` must then begin with document `from.document`. */
  from?: StreamPosition
}

/**
 * Packs documents, in the given order and each followed by `end`, into batches without gaps: batch k holds tokens k * batch * context to (k +
 * 1) * batch * context of the stream. A remainder that does not fill a batch is dropped.
 */
export async function* packBatches(
  documents: AsyncIterable<TokenIds> | Iterable<TokenIds>,
  { batch, context, end = 0, from = { document: 0, token: 0 } }: PackOptions,
): AsyncGenerator<PackedBatch, void, undefined> {
  const targets = batch * context
  let stream = new Int32Array(targets + 1)
  let filled = 0
  let document = from.document
  let token = from.token
  for await (const tokens of documents) {
    const length = tokens.length + 1
    while (token < length) {
      stream[filled++] = token < tokens.length ? tokens[token]! : end
      token++
      if (filled < stream.length) continue
      yield {
        ids: rows(stream, batch, context),
        position: { document, token: token - 1 },
        documentsRead: document + 1,
        documentsPassed: token === length ? document + 1 : document,
      }
      // The last target of this batch is the first input of the next.
      const last = stream[targets]!
      stream = new Int32Array(targets + 1)
      stream[0] = last
      filled = 1
    }
    document += 1
    token = 0
  }
}

function rows(stream: Int32Array, batch: number, context: number): Int32Array<ArrayBuffer> {
  const ids = new Int32Array(batch * (context + 1))
  for (let row = 0; row < batch; row++)
    ids.set(stream.subarray(row * context, (row + 1) * context + 1), row * (context + 1))
  return ids
}
