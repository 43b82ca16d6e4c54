/**
 * winnow's Kafka port, which is kafkajs, and @platformatic/kafka against the same broker in one run: the same records in the same batches,
 * acknowledged by all replicas, alone and in transactions, and read from the start (read_committed); then whether each leaves out what a
 * producer has aborted. Records per second and ratios, the median of several turns taken in alternation.
 * Run by hand on a quiet machine: npx node test/bench/kafka-clients.ts [records of 200 B] (a tenth as many of 2 KB)
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Consumer, Producer as PlatformaticProducer, stringSerializer } from '@platformatic/kafka'
import { Kafka as KafkajsClient, logLevel } from 'kafkajs'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { createKafka } from '../../services/runtime/kafka/kafkajs.ts'
import { createLog } from '../../services/runtime/log.ts'

const records = Number(process.argv[2] ?? 200_000)
const recordsPerBatch = 500
const batchesPerTransaction = 8
const turns = 3
const log = createLog('bench', 'warn')
const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const cluster = await startCluster({ dataFolder: join(folder, 'data'), log })
const port = createKafka({ brokers: cluster.brokers, clientId: 'bench', log })
const isolationReadCommitted = 1

/** One way to write a number of batches to a topic, and to read a topic of so many records. */
interface Client {
  readonly name: string
  write(topic: string, batch: readonly Uint8Array[], batches: number, transactional: boolean): Promise<void>
  /** @returns how many records came */
  read(topic: string, expected: number): Promise<number>
}

const transactions = (batches: number) =>
  Array.from({ length: Math.ceil(batches / batchesPerTransaction) }, (_, i) =>
    Math.min(batchesPerTransaction, batches - i * batchesPerTransaction),
  )

const kafkajs: Client = {
  name: 'kafkajs (port)',
  write: async (topic, batch, batches, transactional) => {
    const producer = await port.producer(transactional ? { transactionalId: topic } : {})
    const sent = batch.map((value) => ({ topic, key: null, value, partition: 0 }))
    if (!transactional) for (let i = 0; i < batches; i++) await producer.send(sent)
    else
      for (const count of transactions(batches))
        await producer.transaction(async (send) => {
          for (let i = 0; i < count; i++) await send(sent)
        })
    await producer.close()
  },
  read: async (topic) => {
    let count = 0
    for await (const some of port.read(topic)) count += some.length
    return count
  },
}

const platformatic: Client = {
  name: '@platformatic/kafka',
  write: async (topic, batch, batches, transactional) => {
    const producer = new PlatformaticProducer({
      ...{ clientId: 'bench', bootstrapBrokers: cluster.brokers, idempotent: true, acks: -1 },
      ...(transactional && { transactionalId: topic }),
      serializers: { key: stringSerializer },
    })
    const messages = batch.map((value) => ({ topic, partition: 0, value: Buffer.from(value) }))
    if (!transactional) for (let i = 0; i < batches; i++) await producer.send({ messages })
    else
      for (const count of transactions(batches)) {
        const transaction = await producer.beginTransaction()
        for (let i = 0; i < count; i++) await transaction.send({ messages })
        await transaction.commit()
      }
    await producer.close()
  },
  read: async (topic, expected) => {
    const consumer = new Consumer({ clientId: 'bench', bootstrapBrokers: cluster.brokers, groupId: topic })
    const isolationLevel = isolationReadCommitted
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', isolationLevel, autocommit: false })
    let count = 0
    for await (const _ of stream) if (++count >= expected) break
    await consumer.close(true)
    return count
  },
}

const clients = [kafkajs, platformatic]
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

/** Until the markers of the last transaction are there. */
async function whole(topic: string): Promise<void> {
  for (let logs = await port.logsOf(topic); logs.some(({ stable, end }) => stable < end); )
    logs = await port.logsOf(topic)
}

const newTopic = async (name: string): Promise<string> => {
  await port.createTopics([{ name, partitions: 1, cleanup: 'delete', retentionMs: -1 }])
  return name
}

async function compare(what: string, bytes: number, transactional: boolean, count: number): Promise<void> {
  const batch = Array.from({ length: Math.min(recordsPerBatch, Math.floor(900_000 / bytes)) }, (_, i) =>
    Buffer.alloc(bytes, `record ${i} `),
  )
  const batches = Math.ceil(count / batch.length)
  const written = batches * batch.length
  const rates = clients.map(() => ({ write: [] as number[], read: [] as number[] }))
  for (let turn = 0; turn < turns; turn++)
    for (const [i, client] of clients.entries()) {
      const topic = await newTopic(`bench-${what.replaceAll(/\W/g, '-')}-${i}-${turn}`)
      const began = performance.now()
      await client.write(topic, batch, batches, transactional)
      const writtenAt = performance.now()
      await whole(topic)
      const between = performance.now()
      const read = await client.read(topic, written)
      if (read !== written) throw new Error(`${client.name} read ${read} of ${written} records`)
      rates[i]!.write.push((1000 * written) / (writtenAt - began))
      rates[i]!.read.push((1000 * written) / (performance.now() - between))
    }
  for (const step of ['write', 'read'] as const) {
    const [own, other] = rates.map((one) => Math.round(median(one[step])))
    console.log(`${what}, ${step}: ${own} and ${other} records/s, ratio ${(other! / own!).toFixed(2)}`)
  }
}

/** Of one producer: two aborted transactions, then one that is committed. What a reader of committed records must see: the last alone. */
async function aborted(): Promise<void> {
  const topic = await newTopic('bench-aborted')
  const producer = new KafkajsClient({ brokers: cluster.brokers, logLevel: logLevel.NOTHING }).producer({
    ...{ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 },
  })
  await producer.connect()
  for (const end of ['abort', 'abort', 'commit'] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value: end, partition: 0 }] })
    await transaction[end]()
  }
  await producer.disconnect()
  for (const client of clients) console.log(`${client.name}: ${await values(client, topic)}`)
}

async function values(client: Client, topic: string): Promise<string> {
  const seen: string[] = []
  if (client === kafkajs) for await (const some of port.read(topic)) seen.push(...some.map(({ value }) => `${value}`))
  else {
    const consumer = new Consumer({ clientId: 'bench', bootstrapBrokers: cluster.brokers, groupId: topic })
    const isolationLevel = isolationReadCommitted
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', isolationLevel, autocommit: false })
    for await (const { value } of stream) if (seen.push(`${value}`) && `${value}` === 'commit') break
    await consumer.close(true)
  }
  return `of abort, abort, commit, it reads ${seen.join(', ')}`
}

try {
  console.log(`${clients.map(({ name }) => name).join(' and ')}, ${recordsPerBatch} records a batch`)
  await aborted()
  await compare('200 B', 200, false, records)
  await compare('2 KB', 2_000, false, records / 10)
  await compare('200 B in transactions', 200, true, records)
} finally {
  await port.close()
  await cluster.stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exit(0)
