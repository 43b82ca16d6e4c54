import { Source, topics } from '../../schemas/index.ts'
import type { Codec } from '../runtime/codec.ts'
import { WinnowError } from '../runtime/errors.ts'
import { failpoint } from '../runtime/failpoints.ts'
import type { OutgoingRecord, Producer } from '../runtime/kafka/port.ts'
import type { WrappedKey } from '../texts/master-keys.ts'
import type { Sealing } from '../texts/texts.ts'
import type { Batch } from './batch.ts'
import { rowMax } from './document-id.ts'
import type { TokenCounter } from './token-counter.ts'

/**
 * Writes batches, each with the state of its source, in transactions: the topics and the recorded position in the source always agree, however
 * the program ends. One transaction is in flight while the next batch is read.
 */
export class SourceWriter {
  readonly #producer: Producer
  readonly #codec: Pick<Codec, 'encode'>
  readonly #countTokens: TokenCounter
  readonly #sealing: Sealing | undefined
  #underWay: Promise<void> = Promise.resolve()

  constructor(producer: Producer, codec: Pick<Codec, 'encode'>, countTokens: TokenCounter, sealing?: Sealing) {
    this.#producer = producer
    this.#codec = codec
    this.#countTokens = countTokens
    this.#sealing = sealing
  }

  /**
   * Starts to write a batch once the one before is written; returns the state of its source after it. @param state the source before this
   * batch, with other changes already applied (rowNext, complete, fingerprint)
   */
  async write(batch: Batch, state: Source): Promise<Source> {
    if (state.rowNext > rowMax + 1)
      throw new WinnowError('BAD_DATA', `${state.name} has more rows than an id can hold (2^32)`)
    const { records, keys, documents, rejected } = await batch.encode(this.#codec, this.#countTokens, this.#sealing)
    const after = { ...state, documents: state.documents + documents, rejected: state.rejected + rejected }
    records.push({ topic: topics.sources.name, key: after.name, value: this.#codec.encode(Source, after) })
    await this.#underWay
    this.#underWay = this.#transaction(records, keys)
    // The next writer, or whoever awaits the end, gets the error; without this line the process would end before.
    this.#underWay.catch(() => {})
    return after
  }

  /** Resolves when everything given to `write` is committed. */
  async settled(): Promise<void> {
    await this.#underWay
  }

  /** Keys first: a text whose key is not kept could never be read. What is cut off in between leaves keys that nothing was encrypted by. */
  async #transaction(records: readonly OutgoingRecord[], keys: readonly WrappedKey[]) {
    if (keys.length > 0) {
      failpoint('store before keys')
      await this.#sealing?.keep(keys)
      failpoint('store after keys')
    }
    await this.#producer.transaction(async (send) => {
      await send(records)
    })
  }
}
