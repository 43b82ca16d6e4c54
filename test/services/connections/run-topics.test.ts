import { expect, test } from 'vitest'
import { createRunTopics } from '../../../services/connections/connections.ts'
import { memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

test('a run’s request and reward topics have as many partitions as configured, its other topics one', async () => {
  const { kafka } = await memoryRuntime()
  await createRunTopics(kafka, parityRun('wide', {}, { influence: { partitions: 7 } }))
  await createRunTopics(kafka, parityRun('plain'))
  const partitionsOf = async (topic: string) => (await kafka.logsOf(`winnow.run.${topic}`)).length
  expect(await Promise.all(['wide.rewards', 'wide.reward-requests', 'wide.progress'].map(partitionsOf))).toEqual([
    7, 7, 1,
  ])
  expect(
    await Promise.all(['plain.rewards', 'plain.reward-requests', 'plain.console-state'].map(partitionsOf)),
  ).toEqual([4, 4, 1])
})
