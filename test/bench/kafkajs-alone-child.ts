/** Writes one value again and again with kafkajs alone, as standard input says. Prints the seconds. */
import { readFileSync } from 'node:fs'
import { Kafka, logLevel } from 'kafkajs'

const { brokers, topic, chunks, partChunks, chunksPerSend, value } = JSON.parse(readFileSync(0, 'utf8')) as {
  brokers: string[]
  topic: string
  chunks: number
  partChunks: number
  chunksPerSend: number
  value: string
}
const bytes = Buffer.from(value, 'base64')
const client = new Kafka({ brokers, logLevel: logLevel.NOTHING })
const producer = client.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
await producer.connect()
const began = performance.now()
for (let open = chunks; open > 0; open -= partChunks) {
  const transaction = await producer.transaction()
  for (let left = Math.min(partChunks, open); left > 0; left -= chunksPerSend) {
    const messages = Array.from({ length: Math.min(left, chunksPerSend) }, () => ({
      ...{ key: '0', value: bytes, partition: 0 },
    }))
    await transaction.send({ topic, messages, acks: -1 })
  }
  await transaction.commit()
}
console.log((performance.now() - began) / 1000)
await producer.disconnect()
