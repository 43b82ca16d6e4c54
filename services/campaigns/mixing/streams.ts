import type { CorpusStore } from '../../../topologies/corpus-store.ts'
import type { Model } from '../../model/model.ts'
import { again } from '../../selections/again.ts'
import { type PackedBatch, packBatches, type StreamPosition } from '../../trainer/packer.ts'
import { tokensOf } from '../../trainer/tokens.ts'

export interface StreamPorts {
  readonly store: Pick<CorpusStore, 'texts'>
  readonly model: Pick<Model, 'tokenizer'>
}

/** The documents of each domain as an endless stream of tokens, cut into rows of one domain each, from which any row can be asked for next. */
export class DomainStreams {
  readonly #domains: readonly BigUint64Array[]
  readonly #ports: StreamPorts
  readonly #context: number
  readonly #rows: (AsyncGenerator<PackedBatch> | undefined)[] = []
  readonly #positions: StreamPosition[]

  /**
   * @param domains ids by domain
   * @param context targets in a row
   * @param positions where each domain's next row begins
   */
  constructor(
    domains: readonly BigUint64Array[],
    ports: StreamPorts,
    context: number,
    positions: readonly StreamPosition[] = domains.map(() => ({ document: 0, token: 0 })),
  ) {
    this.#domains = domains
    this.#ports = ports
    this.#context = context
    this.#positions = [...positions]
  }

  get positions(): readonly StreamPosition[] {
    return this.#positions
  }

  /** The next `context` + 1 token ids of a domain that has documents. */
  async row(domain: number): Promise<Int32Array> {
    this.#rows[domain] ??= this.#rowsOf(domain)
    const { value } = await this.#rows[domain].next()
    const { ids, position } = value as PackedBatch
    this.#positions[domain] = position
    return ids
  }

  /** Rows one below the other. */
  async rows(domains: readonly number[]): Promise<Int32Array<ArrayBuffer>> {
    const ids = new Int32Array(domains.length * (this.#context + 1))
    for (const [row, domain] of domains.entries()) ids.set(await this.row(domain), row * (this.#context + 1))
    return ids
  }

  #rowsOf(domain: number): AsyncGenerator<PackedBatch> {
    const { store, model } = this.#ports
    const from = this.#positions[domain]!
    const ids = again(this.#domains[domain]!, from.document)
    const options = { batch: 1, context: this.#context, end: model.tokenizer.endOfText, from }
    return packBatches(tokensOf(ids, store, model), options)
  }
}
