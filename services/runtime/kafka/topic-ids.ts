import { createRequire } from 'node:module'

/** The part of kafkajs's encoder in use: each method appends and returns the encoder. */
interface Encoder {
  writeBoolean(value: boolean): Encoder
  writeBuffer(value: Buffer): Encoder
  writeUVarIntString(value: string): Encoder
  writeUVarIntArray(values: readonly Encoder[]): Encoder
  /** A single zero byte, which is how empty tagged fields are encoded. */
  writeUVarIntBytes(): Encoder
}

interface Decoder {
  readInt8(): number
  readInt16(): number
  readInt32(): number
  readBytes(bytes: number): Buffer
  readUVarIntString(): string | null
  readUVarIntArray<T>(read: (decoder: Decoder) => T): T[]
  readTaggedFields(): void
}

/** A kafkajs broker, as far as a request of our own needs it. */
export interface RequestBroker {
  readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number } | undefined>> | null
  readonly connectionPool: { send<T>(request: { request: object; response: object }): Promise<T> }
}

const require = createRequire(import.meta.url)
const KafkajsEncoder: new () => Encoder = require('kafkajs/src/protocol/encoder.js')
const KafkajsDecoder: new (bytes: Buffer) => Decoder = require('kafkajs/src/protocol/decoder.js')

/** Metadata, in the first version that returns topic ids (KIP-516, Kafka 2.8); kafkajs 2.2.4 speaks 6 at most. */
const apiKey = 3
const apiVersion = 10
const noId = Buffer.alloc(16)

const request = (topics: readonly string[]) => ({
  apiKey,
  apiVersion,
  apiName: 'Metadata',
  encode: async () =>
    new KafkajsEncoder()
      // The tagged fields of the request header, which kafkajs leaves to the request.
      .writeUVarIntBytes()
      .writeUVarIntArray(
        topics.map((name) => new KafkajsEncoder().writeBuffer(noId).writeUVarIntString(name).writeUVarIntBytes()),
      )
      // Creates no topic; does not ask for authorized operations.
      .writeBoolean(false)
      .writeBoolean(false)
      .writeBoolean(false)
      .writeUVarIntBytes(),
})

function decodePartition(decoder: Decoder): { partition: number; leaderEpoch: number } {
  decoder.readInt16()
  const partition = decoder.readInt32()
  decoder.readInt32()
  const leaderEpoch = decoder.readInt32()
  for (let i = 0; i < 3; i++) decoder.readUVarIntArray((replicas) => replicas.readInt32())
  decoder.readTaggedFields()
  return { partition, leaderEpoch }
}

/** What a broker knows of a topic besides what kafkajs asks. */
export interface TopicFacts {
  /** Assigned by the cluster when the topic was created. */
  readonly id: string
  /** Epochs of the partitions' leaders; index = partition. */
  readonly leaderEpochs: readonly number[]
}

function decodeTopic(decoder: Decoder): readonly [name: string, facts: TopicFacts] | null {
  const errorCode = decoder.readInt16()
  const name = decoder.readUVarIntString() ?? ''
  const id = decoder.readBytes(noId.length)
  decoder.readInt8()
  const leaderEpochs: number[] = []
  for (const { partition, leaderEpoch } of decoder.readUVarIntArray(decodePartition))
    leaderEpochs[partition] = leaderEpoch
  decoder.readInt32()
  decoder.readTaggedFields()
  return errorCode !== 0 || id.equals(noId) ? null : [name, { id: id.toString('base64url'), leaderEpochs }]
}

function decodeBroker(decoder: Decoder): void {
  decoder.readInt32()
  decoder.readUVarIntString()
  decoder.readInt32()
  decoder.readUVarIntString()
  decoder.readTaggedFields()
}

const response = {
  decode: async (bytes: Buffer) => {
    const decoder = new KafkajsDecoder(bytes)
    decoder.readTaggedFields()
    decoder.readInt32()
    decoder.readUVarIntArray(decodeBroker)
    decoder.readUVarIntString()
    decoder.readInt32()
    return decoder.readUVarIntArray(decodeTopic)
  },
  parse: async (topics: unknown) => topics,
}

/**
 * Ids of topics, as Kafka's tools print them (a recreated topic has another), and the epochs of their leaders. Omits topics that do not exist,
 * and every topic if the broker is too old.
 */
export async function askTopics(broker: RequestBroker, topics: readonly string[]): Promise<Map<string, TopicFacts>> {
  const supported = broker.versions?.[apiKey]
  if (supported === undefined || supported.maxVersion < apiVersion) return new Map()
  const found = await broker.connectionPool.send<ReturnType<typeof decodeTopic>[]>({
    request: request(topics),
    response,
  })
  return new Map(found.filter((topic) => topic !== null))
}
