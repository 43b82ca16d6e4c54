import { topics } from '../../schemas/index.ts'
import type { Kafka } from '../../services/runtime/kafka/port.ts'
import { until } from './kafka.ts'

/**
 * Deletes the topics that all runs share. Their names are the same for every test of a cluster, and another may have left them with other settings.
 * @param more names of topics that go with them
 */
export async function removeCorpusTopics(
  kafka: Pick<Kafka, 'topicNames' | 'deleteTopics'>,
  more: readonly string[] = [],
): Promise<void> {
  const names = new Set<string>([...Object.values(topics).map(({ name }) => name), ...more])
  const there = async () => (await kafka.topicNames()).filter((name) => names.has(name))
  await kafka.deleteTopics(await there())
  await until(async () => (await there()).length === 0)
}
