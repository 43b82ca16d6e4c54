import kafkajs from 'kafkajs'
import type { Connection } from './connection.ts'
import { hasType } from './failure.ts'
import { messageBytesDefault } from './record-size.ts'

const setting = 'max.message.bytes'

/** The caller lacks the permission (DescribeConfigs on the topic). */
const forbidden = ['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED']

/** `max.message.bytes` of a topic; the broker's default if it does not say. */
export async function messageBytesMaxOf(connection: Connection, topic: string): Promise<number> {
  const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [setting] }]
  return await connection.onAdmin(`ask what topic ${topic} takes`, async (admin) => {
    // For a missing topic kafkajs would keep retrying.
    if (!(await admin.listTopics()).includes(topic)) return messageBytesDefault
    try {
      const answer = await admin.describeConfigs({ includeSynonyms: false, resources })
      const value = answer.resources[0]?.configEntries.find(({ configName }) => configName === setting)?.configValue
      return value === undefined ? messageBytesDefault : Number(value)
    } catch (error) {
      if (hasType(error, ...forbidden)) return messageBytesDefault
      throw error
    }
  })
}
