import type { Offset, Partition, RecordType, TopicOffset } from '../schemas/index.ts'

/** A decoded record and its identity in the log: topic, partition, offset. */
export interface Delivered<V = unknown> {
  readonly topic: string
  readonly partition: Partition
  readonly offset: Offset
  /** Name of its record type (schemas/). */
  readonly record: string
  readonly value: V
}

/** A record to be written. The key decides its partition, where none is named. */
export interface Outgoing {
  readonly topic: string
  readonly record: RecordType
  readonly key: string
  readonly value: unknown
  readonly partition?: number
}

/** Where records were appended: `count` of them from `offsetFirst` on, contiguous, in the order in which they were given. */
export interface RecordMetadata {
  readonly topic: string
  readonly partition: Partition
  readonly offsetFirst: Offset
  readonly count: number
}

export type Send = (records: readonly Outgoing[]) => Promise<readonly RecordMetadata[]>

/** What a station writes with: a Kafka producer in production, arrays in the driver. */
export interface Output {
  readonly send: Send
  /** All sends inside become visible together or not at all. */
  transaction<T>(work: (send: Send) => Promise<T>): Promise<T>
  /** Keeps a rejected record in dead letters with a stable reason; the station continues. */
  deadLetter(delivered: Delivered, reason: string, message: string): void
}

/** A running station: folds records and writes what follows from them. Batches come one at a time. */
export interface Processor {
  /**
   * @param batch empty if nothing that was read could be decoded
   * @param reached how far the driver has read, including what could not be decoded; left out if everything could be
   */
  process(batch: readonly Delivered[], reached?: TopicOffset): Promise<void>
  /**
   * As `process`, for who keeps less of a record than the record: the batch comes in pieces, each of them decoded once it is asked for, so that
   * a batch of any size is not held as objects.
   */
  processPieces?(pieces: AsyncIterable<readonly Delivered[]>, reached?: TopicOffset): Promise<void>
}

/** What a station is. Code distinguishes stations by this; names are for people. */
export type StationKind =
  | { readonly kind: 'labeler' | 'actor'; readonly actor: string }
  | { readonly kind: 'ingest' | 'decontamination' | 'duplicates' | 'label-sink' | 'influence' | 'console' | 'trainer' }

/** A station of the dataflow, as data: what describe() shows and what the drivers build from. */
export type StationNode = StationKind & {
  readonly name: string
  readonly purpose: string
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  /** Where its state is: a topic or table it can be rebuilt from; left out for a stateless one. */
  readonly state?: string
}
