import kafkajs from 'kafkajs'
import type { Connection } from './connection.ts'
import { messageBytesDefault } from './record-size.ts'

const setting = 'max.message.bytes'

/** The answers by which a broker does not say: whoever asks may not (DescribeConfigs on the topic), or the topic is not there. */
const silent = ['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED', 'UNKNOWN_TOPIC_OR_PARTITION']

/** `max.message.bytes` of a topic; the broker's default where it does not say. */
export async function messageBytesMaxOf(connection: Connection, topic: string): Promise<number> {
  const admin = await connection.admin()
  const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [setting] }]
  return await connection.attempt(`ask what topic ${topic} takes`, async () => {
    try {
      const answer = await admin.describeConfigs({ includeSynonyms: false, resources })
      const value = answer.resources[0]?.configEntries.find(({ configName }) => configName === setting)?.configValue
      return value === undefined ? messageBytesDefault : Number(value)
    } catch (error) {
      if (silent.includes((error as { type?: string }).type ?? '')) return messageBytesDefault
      throw error
    }
  })
}
