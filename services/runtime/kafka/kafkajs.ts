import { createAdmin } from './admin.ts'
import { createConnection, type KafkaOptions } from './connection.ts'
import { createConsumer } from './consumer.ts'
import { consumerGroups, deleteGroups, writtenAt } from './groups.ts'
import type { Consumer, Kafka, Producer } from './port.ts'
import { createProducer } from './producer.ts'
import { epochEnd, logsOf, offsets, read } from './reader.ts'
import { messageBytesMaxOf } from './topic-limits.ts'

export type { KafkaOptions } from './connection.ts'
export { maxRecordBytes } from './record-size.ts'

/** The Kafka port on kafkajs. Connects on first use; UNREACHABLE after two seconds when nothing answers. */
export function createKafka(options: KafkaOptions): Kafka {
  const connection = createConnection(options)
  const open = new Set<Consumer | Producer>()

  const kept = async <T extends Consumer | Producer>(opening: Promise<T>): Promise<T> => {
    const opened = await opening
    open.add(opened)
    return {
      ...opened,
      close: () => {
        open.delete(opened)
        return opened.close()
      },
    }
  }

  return {
    ...createAdmin(connection),
    endOffsets: (topic) => offsets(connection, topic, 'end'),
    messageBytesMax: (topic) => messageBytesMaxOf(connection, topic),
    logsOf: (topic) => logsOf(connection, topic),
    epochEnd: (topic, partition, leaderEpoch) => epochEnd(connection, topic, partition, leaderEpoch),
    consumerGroups: (prefix) => consumerGroups(connection, prefix),
    deleteGroups: (prefix) => deleteGroups(connection, prefix),
    writtenAt: (topic, partition, offset) => writtenAt(connection, topic, partition, offset),
    producer: ({ transactionalId } = {}) => kept(createProducer(connection, transactionalId)),
    consume: (consumeOptions) => kept(createConsumer(connection, consumeOptions)),
    read: (topic, from) => read(connection, topic, from),
    close: async () => {
      await Promise.allSettled([...open].map((opened) => opened.close()))
      open.clear()
      await connection.close()
    },
  }
}
