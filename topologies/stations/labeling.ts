import { type Document, Label, labelsTopic, parseJson } from '../../schemas/index.ts'
import type { Delivered, Outgoing, Output, Processor } from '../node.ts'

/** What a labeler says of one document; a refusal has a stable reason and goes to dead letters. */
export type LabelResult =
  | { ok: true; subcategory: number; score: number }
  | { ok: false; reason: string; message: string }

/** One actor's labeler, of any kind. */
export interface LabelModel {
  readonly actor: string
  /** Digest of kind, model and mapping: labels of another version are other labels. */
  readonly version: string
  /** @param inputs `meta`: the row without its text, parsed */
  label(inputs: { text: string; meta: unknown }[]): Promise<LabelResult[]>
}

/** Documents in, one actor's labels out. Stateless: a repeated document gets the same label. */
export class Labeling implements Processor {
  readonly #model: LabelModel
  readonly #output: Output

  constructor(model: LabelModel, output: Output) {
    this.#model = model
    this.#output = output
  }

  async process(batch: readonly Delivered[]): Promise<void> {
    const documents: Delivered<Document>[] = []
    const inputs: { text: string; meta: unknown }[] = []
    for (const delivered of batch as readonly Delivered<Document>[]) {
      const { text, meta, docId } = delivered.value
      try {
        inputs.push({ text, meta: parseJson(meta) })
        documents.push(delivered)
      } catch (error) {
        // Ingest writes none of these; another client may.
        this.#output.deadLetter(
          delivered,
          'bad-meta',
          `document ${docId}: its meta is not JSON: ${(error as Error).message}`,
        )
      }
    }
    if (documents.length === 0) return
    const { actor, version } = this.#model
    const results = await this.#model.label(inputs)
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
      labels.push({ topic: labelsTopic(actor).name, record: Label, key: docId.toString(), value })
    }
    if (labels.length > 0) await this.#output.send(labels)
  }
}
