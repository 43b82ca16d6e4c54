import { randomUUID } from 'node:crypto'
import { inject, onTestFinished } from 'vitest'
import { createKafka } from '../../services/runtime/kafka/kafkajs.ts'
import type { IncomingRecord, Kafka, TopicDefinition } from '../../services/runtime/kafka/port.ts'
import { createLog } from '../../services/runtime/log.ts'

/** A client of the test broker, closed after the test. */
export function connect(brokers: readonly string[] = inject('brokers')): Kafka {
  const kafka = createKafka({
    brokers,
    clientId: 'test',
    log: createLog('test', process.env.WINNOW_LOG_LEVEL ?? 'warn'),
  })
  onTestFinished(() => kafka.close())
  return kafka
}

/** A new topic that no other test has. */
export async function newTopic(kafka: Kafka, settings: Partial<TopicDefinition> = {}): Promise<string> {
  const name = `test-${randomUUID()}`
  await kafka.createTopics([{ name, partitions: 1, cleanup: 'delete', retentionMs: -1, ...settings }])
  return name
}

export async function readAll(kafka: Kafka, topic: string, from?: readonly number[]): Promise<IncomingRecord[]> {
  const records: IncomingRecord[] = []
  for await (const batch of kafka.read(topic, from)) records.push(...batch)
  return records
}

export const text = ({ value }: IncomingRecord): string | undefined => value?.toString()

/** Asks every 20 ms, up to `timeoutMs`. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  for (let waitedMs = 0; !(await condition()); waitedMs += 20) {
    if (waitedMs > timeoutMs) throw new Error(`Not so within ${timeoutMs} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
