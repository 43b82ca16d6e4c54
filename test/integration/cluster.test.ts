import { Kafka, logLevel } from 'kafkajs'
import { expect, inject, test } from 'vitest'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'

const unique = (name: string): string => `${name}-${crypto.randomUUID().slice(0, 8)}`

test('a produced message is consumed with its key and bytes', async () => {
  const kafka = new Kafka({ clientId: 'cluster-test', brokers: inject('brokers'), logLevel: logLevel.NOTHING })
  const topic = unique('cluster-test')
  const [admin, producer, consumer] = [
    kafka.admin(),
    kafka.producer(),
    kafka.consumer({ groupId: topic, maxWaitTimeInMs: 100 }),
  ]
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()])
  try {
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
    await producer.send({ topic, messages: [{ key: 'k', value: Buffer.from([0, 255, 128]) }] })
    await consumer.subscribe({ topic, fromBeginning: true })
    const received = await new Promise<{ key: string | undefined; value: number[] }>((resolve, reject) => {
      consumer
        .run({
          eachMessage: async ({ message }) =>
            resolve({ key: message.key?.toString(), value: [...(message.value ?? [])] }),
        })
        .catch(reject)
    })
    expect(received).toEqual({ key: 'k', value: [0, 255, 128] })
  } finally {
    await Promise.all([consumer.disconnect(), producer.disconnect(), admin.disconnect()])
  }
})

test('writing to a missing topic does not create it', async () => {
  const kafka = new Kafka({
    clientId: 'cluster-test',
    brokers: inject('brokers'),
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  })
  const producer = kafka.producer()
  await producer.connect()
  try {
    await expect(producer.send({ topic: unique('nobody'), messages: [{ value: 'x' }] })).rejects.toThrow(
      /does not host this topic/,
    )
  } finally {
    await producer.disconnect()
  }
})

test('a schema that cannot read data of any earlier version is refused with 409', async () => {
  const subject = unique('compatibility')
  const register = async (fields: object[]): Promise<number> => {
    const answer = await fetch(`${inject('registryUrl')}/subjects/${subject}/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: JSON.stringify({ type: 'record', name: 'R', fields }) }),
    })
    await answer.body?.cancel()
    return answer.status
  }
  const id = { name: 'id', type: 'long' }
  expect(await register([id])).toBe(200)
  // With a default, the first version's records can be read.
  expect(await register([id, { name: 'score', type: 'double', default: 0 }])).toBe(200)
  // Without one, the second version's can and the first's cannot: allowed by BACKWARD, not by BACKWARD_TRANSITIVE.
  expect(await register([id, { name: 'score', type: 'double' }])).toBe(409)
})

test('unsigned 64-bit integers above 2^63 round-trip through ClickHouse', async () => {
  const clickHouse = await createClickHouse({ url: inject('clickhouseUrl') })
  const database = unique('cluster').replaceAll('-', '_')
  try {
    await clickHouse.sql.command(`CREATE DATABASE ${database}`)
    await clickHouse.sql.command(`CREATE TABLE ${database}.ids (id UInt64) ENGINE = MergeTree ORDER BY id`)
    await clickHouse.sql.insert(`${database}.ids`, [{ id: 18446744073709551615n }, { id: 9223372036854775809n }])
    const rows = await clickHouse.sql.query<{ id: string }>(`SELECT id FROM ${database}.ids ORDER BY id`)
    expect(rows.map((row) => BigInt(row.id))).toEqual([9223372036854775809n, 18446744073709551615n])
  } finally {
    await clickHouse.sql.command(`DROP DATABASE IF EXISTS ${database}`)
    await clickHouse.close()
  }
})
