import { type Document, Sketch, topics } from '../../schemas/index.ts'
import type { Sketcher } from '../duplicates/sketch.ts'
import type { Delivered, Output, Processor } from '../node.ts'

/** How documents are sketched. */
export interface Sketching {
  readonly sketcher: Pick<Sketcher, 'keysOf'>
  /** Of the sketches. */
  readonly version: string
}

/** Documents in, sketches out, of each document one, in the partition of the document. Stateless: a repeated document has the same sketch. */
export class Duplicates implements Processor {
  readonly #sketching: Sketching
  readonly #output: Output

  constructor(sketching: Sketching, output: Output) {
    this.#sketching = sketching
    this.#output = output
  }

  async process(batch: readonly Delivered[]): Promise<void> {
    const { sketcher, version } = this.#sketching
    const sketches = (batch as readonly Delivered<Document>[]).map(({ value: { docId, text }, partition }) => {
      const value: Sketch = { docId, version, keys: sketcher.keysOf(text) }
      return { topic: topics.sketches.name, record: Sketch, key: docId.toString(), value, partition }
    })
    if (sketches.length > 0) await this.#output.send(sketches)
  }
}
