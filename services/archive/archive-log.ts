import { join } from 'node:path'
import type { RecordMetadata } from '../../topologies/node.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { IncomingRecord, Kafka, OutgoingRecord, Producer, TopicDefinition } from '../runtime/kafka/port.ts'
import { messageBytesDefault } from '../runtime/kafka/record-size.ts'
import type { ArchiveManifest } from './format.ts'
import { PartitionLog } from './partition-log.ts'

/**
 * The Kafka port on an archive: its topics are read as they were, at the same offsets. What is written, by a replay, goes to a folder of this process
 * and is read from there; the archive itself is never written to. There are no groups and nobody else to wait for.
 */
export class ArchiveLog implements Kafka {
  readonly #scratch: string
  readonly #topics: Map<string, PartitionLog[]>

  /** @param scratch receives what is written */
  constructor(archive: string, { topics, files }: ArchiveManifest, scratch: string) {
    this.#scratch = scratch
    this.#topics = new Map(
      topics.map(({ name, ends }) => [
        name,
        ends.map((end, partition) => {
          const own = files.filter((file) => file.topic === name && file.partition === partition)
          const segments = own.map(({ path, to }) => ({ path: join(archive, path), to }))
          return new PartitionLog(name, partition, end, segments)
        }),
      ]),
    )
  }

  async topicNames(): Promise<string[]> {
    return [...this.#topics.keys()].sort()
  }

  async endOffsets(topic: string): Promise<number[]> {
    return this.#partitions(topic).map(({ end }) => end)
  }

  async *read(topic: string, from: readonly number[] = []): AsyncGenerator<readonly IncomingRecord[]> {
    for (const [partition, log] of this.#partitions(topic).entries()) {
      const start = from[partition] ?? 0
      if (start < log.end) yield* log.read(start)
    }
  }

  async createTopics(definitions: readonly TopicDefinition[]): Promise<void> {
    for (const { name, partitions } of definitions) {
      if (this.#topics.has(name)) continue
      const logs = Array.from({ length: partitions }, (_, partition) => new PartitionLog(name, partition, 0, []))
      this.#topics.set(name, logs)
    }
  }

  async messageBytesMax(): Promise<number> {
    return messageBytesDefault
  }

  /** Who reads here is this process: what is sent in a transaction is visible at once, and one that fails ends the command. */
  async producer(): Promise<Producer> {
    const send: Producer['send'] = (records) => this.#append(records)
    return { send, transaction: (work) => work(send), close: async () => {} }
  }

  async #append(records: readonly OutgoingRecord[]): Promise<RecordMetadata[]> {
    const places = Map.groupBy(records, ({ topic, partition = 0 }) => `${topic}/${partition}`)
    const written: RecordMetadata[] = []
    for (const own of places.values()) {
      const { topic, partition = 0 } = own[0]!
      const archived = own.map(({ key, value }) => ({
        ...{ writtenMs: null, key: key === null ? null : Buffer.from(key) },
        value: value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      }))
      const offsetFirst = await this.#partitions(topic)[partition]!.append(
        join(this.#scratch, `${topic}-${partition}`),
        archived,
      )
      written.push({ topic, partition, offsetFirst, count: own.length })
    }
    return written
  }

  #partitions(topic: string): PartitionLog[] {
    const found = this.#topics.get(topic)
    if (found !== undefined) return found
    throw new WinnowError('CONFIGURATION', `the archive does not have the topic ${topic}`, {
      hint: 'Ask the cluster that it was exported from.',
    })
  }

  async close(): Promise<void> {
    for (const log of [...this.#topics.values()].flat()) await log.close()
  }

  logsOf = refused
  epochEnd = refused
  committedOffsets = refused
  committedPlaces = refused
  consumerGroups = refused
  deleteGroups = refused
  deleteTopics = refused
  writtenAt = refused
  consume = refused
}

const refused = async (): Promise<never> => {
  throw new WinnowError('CONFIGURATION', 'this needs a cluster; an archive has only what was recorded', {
    hint: 'Ask the cluster that the archive was exported from.',
  })
}
