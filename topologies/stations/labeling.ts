import { type Document, Label, labelsTopic, parseJson, topics } from '../../schemas/index.ts'
import { type Booking, bookWork, timed } from '../ledger/booking.ts'
import { type ModelCost, workOn } from '../ledger/pieces.ts'
import type { Delivered, Outgoing, Output, Processor } from '../node.ts'

/** What a labeler sees of a document. `meta` is the row without its text, parsed (`fieldAt` looks into it). */
export interface LabelInput {
  text: string
  meta: unknown
}

/**
 * A label: the subcategory's index in the actor's list, and a score (a probability, a regression's value, or 1); or why there is none, as a
 * stable reason, with which the document goes to dead letters.
 */
export type LabelResult =
  | { ok: true; subcategory: number; score: number }
  | { ok: false; reason: string; message: string }

/** One actor's labeler, of any kind. */
export interface LabelModel {
  readonly actor: string
  /** Digest of kind, model, mapping and settings: labels of equal versions are equal, those of another version are other labels. */
  readonly version: string
  /** For the ledger; left out: its work is not booked. */
  readonly cost?: ModelCost
  /** One result for each input, in their order. A document that cannot be labelled is a result, not an exception. */
  label(inputs: LabelInput[]): Promise<LabelResult[]>
  /** As label, with how many tokens the model read of each input, for the ledger. Left out: as many as the documents have. */
  labelRead?(inputs: LabelInput[]): Promise<{ labels: LabelResult[]; read: number[] }>
}

/** Documents in, one actor's labels out. Stateless: a repeated document gets the same label. */
export class Labeling implements Processor {
  readonly #model: LabelModel
  readonly #output: Output
  readonly #booking: Booking | undefined

  /** @param booking left out: work is not booked */
  constructor(model: LabelModel, output: Output, booking?: Booking) {
    this.#model = model
    this.#output = output
    this.#booking = booking
  }

  async process(batch: readonly Delivered[]): Promise<void> {
    const documents: Delivered<Document>[] = []
    const inputs: LabelInput[] = []
    for (const delivered of batch as readonly Delivered<Document>[]) {
      const { text, meta, docId } = delivered.value
      try {
        inputs.push({ text, meta: parseJson(meta) })
        documents.push(delivered)
      } catch (error) {
        // Ingest never writes such records; another client may.
        this.#output.deadLetter(
          delivered,
          'bad-meta',
          `document ${docId}: its meta is not JSON: ${(error as Error).message}`,
        )
      }
    }
    if (documents.length === 0) return
    const { actor, version, cost } = this.#model
    const { value, seconds } = await timed(this.#booking, () => this.#label(inputs))
    const { labels: results, read } = value
    const labels: Outgoing[] = []
    for (const [i, result] of results.entries()) {
      const delivered = documents[i]!
      const { docId, tokens } = delivered.value
      if (!result.ok) {
        this.#output.deadLetter(delivered, result.reason, `document ${docId}, actor ${actor}: ${result.message}`)
        continue
      }
      const { subcategory, score } = result
      const value: Label = { docId, actor, subcategory, score, tokens, version }
      // Where its document stands, also if another client, or another number of partitions, chose that by other rules than ours: one
      // partition number tells of which records of a document something has been read.
      const { partition } = delivered
      labels.push({ topic: labelsTopic(actor).name, record: Label, key: docId.toString(), value, partition })
    }
    if (labels.length > 0) await this.#output.send(labels)
    if (this.#booking === undefined || cost === undefined) return
    const { topic: stream, partition } = documents[0]!
    const kind = { run: null, purpose: 'labels', subject: `${actor} ${version}`, stream, partition } as const
    const items = documents.map(({ offset, value }, i) => ({ at: offset, tokens: read?.[i] ?? value.tokens }))
    await bookWork(this.#output, topics.work.name, workOn(kind, cost, items, items.at(-1)!.at + 1, seconds))
  }

  async #label(inputs: LabelInput[]): Promise<{ labels: LabelResult[]; read?: number[] }> {
    if (this.#model.labelRead !== undefined) return await this.#model.labelRead(inputs)
    return { labels: await this.#model.label(inputs) }
  }
}
