import kafkajs, { Kafka as KafkajsClient } from 'kafkajs'
import { expect, inject, onTestFinished, test } from 'vitest'
import { connect, newTopic, readAll, text, until } from '../support/kafka.ts'

const { CompressionCodecs, CompressionTypes } = kafkajs
const codecs = {
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}
type Codec = keyof typeof codecs

/** The broker, which is Java's Kafka, packs anew whatever comes for the topic. */
async function packedTopic(kafka: ReturnType<typeof connect>, codec: Codec): Promise<string> {
  const topic = await newTopic(kafka, { partitions: 2 })
  const admin = new KafkajsClient({ brokers: inject('brokers'), logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  const resource = {
    type: kafkajs.ConfigResourceTypes.TOPIC,
    name: topic,
    configEntries: [
      { name: 'compression.type', value: codec },
      { name: 'cleanup.policy', value: 'delete' },
      { name: 'retention.ms', value: '-1' },
    ],
  }
  await admin.alterConfigs({ validateOnly: false, resources: [resource] })
  await admin.disconnect()
  return topic
}

/** How often a codec was asked for since. */
function uses(codec: Codec): () => number {
  const type = codecs[codec] as keyof typeof CompressionCodecs
  const original = CompressionCodecs[type]
  let count = 0
  CompressionCodecs[type] = () => {
    count++
    return original()
  }
  onTestFinished(() => {
    CompressionCodecs[type] = original
  })
  return () => count
}

const names = Object.keys(codecs) as Codec[]

test.each(names)('records compressed with %s are read and consumed', async (codec) => {
  const kafka = connect()
  const topic = await packedTopic(kafka, codec)
  const used = uses(codec)
  const texts = Array.from({ length: 3000 }, (_, i) => `${i} ${'what is said twice packs well, '.repeat(i % 40)}`)
  const producer = await kafka.producer()
  await producer.send(texts.map((value, i) => ({ topic, key: `${i}`, value: Buffer.from(value), partition: i % 2 })))
  const sorted = (found: (string | undefined)[]) => found.toSorted()
  expect(sorted((await readAll(kafka, topic)).map(text))).toEqual(texts.toSorted())
  // From the middle of a batch.
  expect((await readAll(kafka, topic, [1234, 1500])).map(text)).toEqual(texts.filter((_, i) => i % 2 === 0).slice(1234))

  const consumed: (string | undefined)[] = []
  const failures: unknown[] = []
  await kafka.consume({
    groupId: topic,
    topics: [topic],
    onBatch: async (records) => void consumed.push(...records.map(text)),
    onFailure: (error) => failures.push(error),
  })
  await until(() => consumed.length >= texts.length || failures.length > 0)
  expect(failures).toEqual([])
  expect(sorted(consumed)).toEqual(texts.toSorted())
  expect(used()).toBeGreaterThan(2)
})
