import type { RecordType, TopicOffset } from '../schemas/index.ts'

/** A decoded record and where it stood: its identity in the log. */
export interface Delivered<V = unknown> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Name of its record type (schemas/). */
  readonly record: string
  readonly value: V
}

/** A record to be written. The key decides its partition. */
export interface Outgoing {
  readonly topic: string
  readonly record: RecordType
  readonly key: string
  readonly value: unknown
}

/** Where records were appended: `count` of them from `offsetFirst` on, contiguous, in the order in which they were given. */
export interface RecordMetadata {
  readonly topic: string
  readonly partition: number
  readonly offsetFirst: number
  readonly count: number
}

export type Send = (records: readonly Outgoing[]) => Promise<readonly RecordMetadata[]>

/** What a station writes with. In production a Kafka producer, in the driver arrays. */
export interface Output {
  readonly send: Send
  /** All sends inside become visible together or not at all. */
  transaction<T>(work: (send: Send) => Promise<T>): Promise<T>
  /** Keeps a refused record in dead letters with a stable reason; the station goes on. */
  deadLetter(delivered: Delivered, reason: string, message: string): void
}

/** A station at work: folds records in and writes what follows from them. Batches are given one after the other. */
export interface Processor {
  /**
   * @param batch empty where nothing of what was read could be decoded
   * @param reached up to where the driver has read, with what could not be decoded; left out where everything could
   */
  process(batch: readonly Delivered[], reached?: TopicOffset): Promise<void>
}

/** What a station is. Code tells stations apart by this; names are for people. */
export type StationKind =
  | { readonly kind: 'labeler' | 'actor'; readonly actor: string }
  | { readonly kind: 'ingest' | 'label-sink' | 'influence' | 'console' | 'trainer' }

/** A station of the dataflow, as data: what describe() shows and what the drivers build from. */
export type StationNode = StationKind & {
  readonly name: string
  readonly purpose: string
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  /** Where its memory is: a topic or table it can be rebuilt from; nothing for a stateless one. */
  readonly state?: string
}
