import { createRequire } from 'node:module'
import type { RequestBroker } from './topic-ids.ts'

interface Encoder {
  writeInt32(value: number): Encoder
  writeString(value: string): Encoder
  writeArray(values: readonly Encoder[]): Encoder
}

interface Decoder {
  readInt16(): number
  readInt32(): number
  readInt64(): bigint | { toString(): string }
  readString(): string
  readArray<T>(read: (decoder: Decoder) => T): T[]
}

const require = createRequire(import.meta.url)
const KafkajsEncoder: new () => Encoder = require('kafkajs/src/protocol/encoder.js')
const KafkajsDecoder: new (bytes: Buffer) => Decoder = require('kafkajs/src/protocol/decoder.js')
const {
  createErrorFromCode,
}: { createErrorFromCode: (code: number) => Error } = require('kafkajs/src/protocol/error.js')

/** OffsetForLeaderEpoch (KIP-320), which kafkajs 2.2.4 does not know, in its last version without tagged fields (Kafka 2.3). */
const apiKey = 23
const apiVersion = 3
const consumer = -1
/** Whatever epoch the leader is of. */
const anyEpoch = -1

interface Asked {
  readonly topic: string
  readonly partition: number
  readonly leaderEpoch: number
}

const request = ({ topic, partition, leaderEpoch }: Asked) => ({
  apiKey,
  apiVersion,
  apiName: 'OffsetForLeaderEpoch',
  encode: async () =>
    new KafkajsEncoder()
      .writeInt32(consumer)
      .writeArray([
        new KafkajsEncoder()
          .writeString(topic)
          .writeArray([new KafkajsEncoder().writeInt32(partition).writeInt32(anyEpoch).writeInt32(leaderEpoch)]),
      ]),
})

const response = {
  decode: async (bytes: Buffer) => {
    const decoder = new KafkajsDecoder(bytes)
    decoder.readInt32()
    const topics = decoder.readArray((ofTopic) => {
      ofTopic.readString()
      return ofTopic.readArray((ofPartition) => {
        const errorCode = ofPartition.readInt16()
        ofPartition.readInt32()
        ofPartition.readInt32()
        return { errorCode, end: Number(ofPartition.readInt64().toString()) }
      })
    })
    return topics.flat()
  },
  parse: async (partitions: { errorCode: number; end: number }[]) => {
    for (const { errorCode } of partitions) if (errorCode !== 0) throw createErrorFromCode(errorCode)
    return partitions
  },
}

/** Where the records of leaders up to this epoch end, according to the partition's leader; see `Kafka.epochEnd`. */
export async function askEpochEnd(broker: RequestBroker, asked: Asked): Promise<number | null> {
  const supported = broker.versions?.[apiKey]
  if (supported === undefined || supported.maxVersion < apiVersion || supported.minVersion > apiVersion) return null
  const [partition] = await broker.connectionPool.send<{ end: number }[]>({ request: request(asked), response })
  return partition?.end ?? null
}
