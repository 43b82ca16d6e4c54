import type { RecordValue } from '../../schemas/index.ts'
import type { Outgoing, RecordMetadata, Send } from '../../topologies/node.ts'
import type { Codec } from './codec.ts'
import { failpoint } from './failpoints.ts'
import type { Kafka, OutgoingRecord, Producer, TraceHeaders } from './kafka/port.ts'

/** The trace context of a record to be written. */
export type TraceOf = (outgoing: Outgoing) => TraceHeaders | undefined

/** A station's output: encodes records and sends them. */
export class KafkaOutput {
  /** Records written, by topic. Those of a transaction count when it is committed. */
  readonly written: Record<string, number> = {}
  readonly #codec: Codec
  readonly #producer: Producer
  readonly #transactional: boolean

  readonly #traceOf: TraceOf | undefined

  private constructor(codec: Codec, producer: Producer, transactional: boolean, traceOf: TraceOf | undefined) {
    this.#codec = codec
    this.#producer = producer
    this.#transactional = transactional
    this.#traceOf = traceOf
  }

  static async open(options: {
    kafka: Kafka
    codec: Codec
    transactionalId?: string
    traceOf?: TraceOf | undefined
  }): Promise<KafkaOutput> {
    const { kafka, codec, transactionalId, traceOf } = options
    const producer = await kafka.producer(transactionalId === undefined ? {} : { transactionalId })
    return new KafkaOutput(codec, producer, transactionalId !== undefined, traceOf)
  }

  /** With a transactional id, in a transaction of its own: outside one a broker does not fence a replaced producer. */
  async send(records: readonly Outgoing[]): Promise<readonly RecordMetadata[]> {
    if (records.length === 0) return []
    if (this.#transactional) return await this.transaction((send) => send(records))
    failpoint(`sending ${typeOf(records)}`)
    const written = await this.sendRaw(this.#encode(records))
    failpoint(`sent ${typeOf(records)}`)
    addTo(this.written, records)
    return written
  }

  async transaction<T>(work: (send: Send) => Promise<T>): Promise<T> {
    // By topic: a transaction may have too many records to hold.
    const sent: Record<string, number> = {}
    let last = typeOf([])
    const result = await this.#producer.transaction(async (send) => {
      const done = await work(async (records) => {
        if (records.length === 0) return []
        failpoint(`sending ${typeOf(records)}`)
        const written = await send(this.#encode(records))
        failpoint(`sent ${typeOf(records)}`)
        addTo(sent, records)
        last = typeOf(records)
        return written
      })
      failpoint(`committing ${last}`)
      return done
    })
    failpoint(`committed ${last}`)
    this.#count(sent)
    return result
  }

  /** For writes that do not count as the station's own: dead letters. */
  sendRaw(records: readonly OutgoingRecord[]): Promise<readonly RecordMetadata[]> {
    return this.#producer.send(records)
  }

  close(): Promise<void> {
    return this.#producer.close()
  }

  #encode(records: readonly Outgoing[]): OutgoingRecord[] {
    return records.map((outgoing) => {
      const { topic, record, key, value, partition } = outgoing
      const encoded = this.#codec.encode(record, value as RecordValue<typeof record>)
      const trace = this.#traceOf?.(outgoing)
      return {
        ...{ topic, key, value: encoded },
        ...(partition !== undefined && { partition }),
        ...(trace !== undefined && { trace }),
      }
    })
  }

  #count(sent: Readonly<Record<string, number>>): void {
    for (const [topic, count] of Object.entries(sent)) this.written[topic] = (this.written[topic] ?? 0) + count
  }
}

/** How a failpoint names records: by the type of the last one. */
const typeOf = (records: readonly Outgoing[]): string => records.at(-1)?.record.name ?? 'nothing'

function addTo(counts: Record<string, number>, records: readonly Outgoing[]): void {
  for (const { topic } of records) counts[topic] = (counts[topic] ?? 0) + 1
}
