import type { Offset, Partition } from '../../../schemas/index.ts'
import type { RecordMetadata } from '../../../topologies/node.ts'

/**
 * What winnow needs of a Kafka client, and no more, so that the client can be replaced (docs/adr/0001).
 * Offsets are JavaScript numbers: at a million records a second a partition would take 285 years to leave their exact range.
 */
export interface IncomingRecord {
  readonly topic: string
  readonly partition: Partition
  readonly offset: Offset
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** The bytes in which `value` is, for who reads many: to make a buffer of each costs more than to read it. Left out: there is only `value`. */
  readonly valueIn?: { readonly bytes: Buffer; readonly from: number; readonly to: number } | undefined
  /** When it was written, milliseconds since the epoch; set only by `read`. */
  readonly writtenMs?: number
  readonly trace?: TraceHeaders | undefined
}

/** W3C trace context, as in the headers of a record: the only headers in use. */
export interface TraceHeaders {
  readonly traceparent: string
  readonly tracestate?: string
}

export interface OutgoingRecord {
  readonly topic: string
  readonly key: string | null
  /** null deletes the key from a compacted topic. */
  readonly value: Uint8Array | null
  /** Left out: chosen by the key's murmur2 hash, as every Kafka client does. */
  readonly partition?: number
  /** Omitted if the record would be too large with it. */
  readonly trace?: TraceHeaders | undefined
}

export interface TopicDefinition {
  readonly name: string
  readonly partitions: number
  readonly cleanup: 'delete' | 'compact'
  readonly retentionMs: number
  /** `max.message.bytes` of a topic that is created; default: the broker's. An existing topic with less accepts only shorter records. */
  readonly messageBytesMax?: number
}

export interface Producer {
  /** Splits below the broker's request limit. Resolves when all replicas have acknowledged. */
  send(records: readonly OutgoingRecord[]): Promise<readonly RecordMetadata[]>
  /**
   * All sends inside become visible together or not at all. Needs a transactional id; an older instance with the same id is fenced. Readers
   * see them some milliseconds after this resolves, once the markers are written; a newer producer with this id waits for that.
   */
  transaction<T>(work: (send: Producer['send']) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Where a partition's log begins and ends. */
export interface PartitionLog {
  readonly topic: string
  readonly partition: number
  /** Assigned to the topic when it was created; null if the broker is too old (before 2.8). */
  readonly topicId: string | null
  /** The first record still there. */
  readonly first: number
  /** The last stable offset: where a read_committed reader stops, at the first record of an open transaction. */
  readonly stable: number
  /** The high watermark: what all replicas have. Records between `stable` and here are held back by a transaction. */
  readonly end: number
  /** Of the partition's leader: no record is of a later one (KIP-320). Omitted: the broker is too old. */
  readonly leaderEpoch?: number
}

/** The offset to continue from, and the id of the topic it belongs to; null: not known. */
export interface Place {
  readonly offset: number
  readonly topicId: string | null
  /** The offset after the last record before it: from there on there were only markers of transactions. Omitted: not known. */
  readonly afterRecord?: number
  /** Of the batch of that record: the epoch of the leader that wrote it (KIP-320). Omitted: not known. */
  readonly leaderEpoch?: number
}

/** Records that can no longer be read and that nobody has read. */
export interface Hole {
  readonly topic: string
  readonly partition: number
  /** Id of the current topic. */
  readonly topicId: string | null
  /**
   * deleted: the records from `from` to before `to` are gone; truncated: the log lost the last ones read, and has others in their place or ends
   * at `from`; recreated: the
   * topic was recreated, so what it had after `from` is not known, and the new one begins at `to`; damaged: the records from `from` to before
   * `to` are not what was written.
   */
  readonly reason: 'deleted' | 'truncated' | 'recreated' | 'damaged'
  readonly from: number
  readonly to: number
}

export interface ConsumeOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  /** Where to start in a partition for which the group has no offset; a number overrides the group's offset. */
  readonly startOffset?: (topic: string, partition: Partition) => Offset | undefined
  /**
   * Called when this member is assigned a partition, before its first batch: the offset up to which everything is known to be done. If the
   * group's offset, which anybody may move, is past it, reading starts there.
   */
  readonly floorOffset?: (topic: string, partition: Partition) => Promise<Offset>
  /** Awaited before the next batch of that partition is delivered: this is the backpressure. Offsets are committed after it. */
  readonly onBatch: (records: readonly IncomingRecord[]) => Promise<void>
  /** `onBatch` failed, or the client in a way it does not recover from; the consumer has stopped. */
  readonly onFailure: (error: unknown) => void
  readonly batchBytesMax?: number
  /** Whether a topic keeps every record: then reading begins at offset 0, and a missing offset is a hole. */
  readonly isKeptWhole?: (topic: string) => boolean
  /** What is recorded of an earlier reader's place in a partition; compared with the log if the group has no offset there with a topic's id. */
  readonly recorded?: (topic: string, partition: Partition) => Place | undefined
  /** Awaited when a partition's log is known to be whole, and before the first record of each leader epoch is delivered. */
  readonly onPlace?: (topic: string, partition: Partition, place: Place) => Promise<void>
  /**
   * There is a hole before the next record of a partition, which is not read until this resolves; reading then continues after the hole. The
   * signal aborts when the partition is reassigned or the consumer closed. `reached` commits an offset within the hole: whoever reads the
   * partition next finds the hole to begin there. Omitted: the consumer stops with BAD_DATA.
   */
  readonly onHole?: (hole: Hole, signal: AbortSignal, reached: (offset: number) => void) => Promise<void>
}

export interface Consumer {
  /** Waits for the current batch, commits, leaves the group. */
  close(): Promise<void>
}

/** A consumer group with members, as the broker sees it. */
export interface ConsumerGroup {
  readonly groupId: string
  /** Kafka's state: Stable, PreparingRebalance, ... */
  readonly state: string
  readonly members: readonly {
    readonly client: string
    readonly host: string
    /** Partitions by topic. */
    readonly assigned: Readonly<Record<string, readonly number[]>>
  }[]
}

export interface Kafka {
  /** Creates what is missing; a topic that exists with other settings is a CONFIGURATION error that names the difference. */
  createTopics(definitions: readonly TopicDefinition[]): Promise<void>
  /** Deletes those that exist, and ends when the brokers have stopped listing them: their names can be used again at once. */
  deleteTopics(names: readonly string[]): Promise<void>
  topicNames(): Promise<string[]>
  /** How long a record batch of the topic may be, after compression; the broker's default if it does not say. */
  messageBytesMax(topic: string): Promise<number>
  /** The next offset of each partition, as a read_committed reader sees it; index = partition. */
  endOffsets(topic: string): Promise<number[]>
  /** Where the partitions of a topic begin and end; index = partition. */
  logsOf(topic: string): Promise<PartitionLog[]>
  /**
   * Where the records of leaders up to this epoch end in a partition (KIP-320), -1 if its leader does not know that epoch; null: the broker is too
   * old. If that is before the end of what was read from them, the log has lost it.
   */
  epochEnd(topic: string, partition: Partition, leaderEpoch: number): Promise<number | null>
  /** A consumer group's committed offset by partition; null where it has committed none. */
  committedOffsets(groupId: string, topic: string): Promise<(number | null)[]>
  /** The same, with the topic's id that was committed along. */
  committedPlaces(groupId: string, topic: string): Promise<(Place | null)[]>
  /** Groups whose name begins with `prefix` and that have members now. */
  consumerGroups(prefix: string): Promise<ConsumerGroup[]>
  /** Deletes groups whose name begins with `prefix`, with their committed offsets; a group with members is kept. */
  deleteGroups(prefix: string): Promise<void>
  /** When the first record at or after an offset was written, milliseconds since the epoch; null if none is readable there. */
  writtenAt(topic: string, partition: Partition, offset: Offset): Promise<number | null>
  producer(options?: { transactionalId?: string }): Promise<Producer>
  consume(options: ConsumeOptions): Promise<Consumer>
  /**
   * All committed records from `from` (default: the beginning) up to the current end, partition by partition in batches. A partition whose
   * `from` is at or past its end is skipped. The caller may stop at any time.
   */
  read(topic: string, from?: readonly number[]): AsyncIterable<readonly IncomingRecord[]>
  close(): Promise<void>
}
