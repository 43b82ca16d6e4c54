import { deserialize, serialize } from 'node:v8'
import { DeadLetter, Document, type RecordType, type RecordValue, Source, topics } from '../../../schemas/index.ts'
import type { IngestCodec } from '../../../services/ingest/ingest.ts'
import type { IncomingRecord, Kafka, OutgoingRecord, Producer } from '../../../services/runtime/kafka/port.ts'
import type { RecordMetadata } from '../../../topologies/node.ts'

/** Checks as the real one does and encodes as Node's own serialisation: what ingest writes is read back without a registry. */
export const codec: IngestCodec = {
  encode: (record, value) => serialize(record.check.parse(value)),
  decodeAs: <R extends RecordType>(_record: R, bytes: Buffer) => deserialize(bytes) as RecordValue<R>,
}

/** When a producer ends like a killed process: before its n-th transaction is committed, or right after. */
export interface Kill {
  readonly transaction: number
  readonly committed: boolean
}

export class Killed extends Error {}

/** The little of Kafka that ingest uses: committed transactions in order, one partition a topic. */
export class MemoryKafka {
  readonly topics = new Map<string, OutgoingRecord[]>()
  messageBytesMax = 1_048_588
  /** Transactions that wrote something. */
  transactions = 0
  kill: Kill | null = null
  onTransaction: ((count: number) => void) | null = null

  get port(): Kafka {
    return {
      producer: async () => this.#producer(),
      messageBytesMax: async () => this.messageBytesMax,
      read: (topic: string) => this.#read(topic),
    } as unknown as Kafka
  }

  all<R extends RecordType>(topic: { name: string }, record: R): RecordValue<R>[] {
    return (this.topics.get(topic.name) ?? []).map(
      ({ value }) => record.check.parse(deserialize(value!)) as RecordValue<R>,
    )
  }

  get documents(): Document[] {
    return this.all(topics.documents, Document)
  }

  get deadLetters(): DeadLetter[] {
    return this.all(topics.deadLetters, DeadLetter)
  }

  /** The last record of each source. */
  get sources(): Map<string, Source> {
    return new Map(this.all(topics.sources, Source).map((source) => [source.name, source]))
  }

  #producer(): Producer {
    let written = 0
    return {
      send: async () => [],
      close: async () => {},
      transaction: async (work) => {
        const pending: OutgoingRecord[] = []
        const result = await work(async (records): Promise<RecordMetadata[]> => {
          pending.push(...records)
          return []
        })
        if (pending.length === 0) return result
        const killed = this.kill?.transaction === ++written
        if (killed && !this.kill?.committed) throw new Killed()
        for (const record of pending) {
          if (!this.topics.has(record.topic)) this.topics.set(record.topic, [])
          this.topics.get(record.topic)?.push(record)
        }
        this.transactions++
        this.onTransaction?.(this.transactions)
        if (killed) throw new Killed()
        return result
      },
    }
  }

  async *#read(topic: string): AsyncGenerator<readonly IncomingRecord[]> {
    yield (this.topics.get(topic) ?? []).map(({ key, value }, offset) => ({
      topic,
      partition: 0,
      offset,
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    }))
  }
}

/** The texts of the documents written so far. */
export const text = (kafka: MemoryKafka): string[] => kafka.documents.map((document) => document.text)
