import { expect, test } from 'vitest'
import { runTopics } from '../../../schemas/index.ts'
import { setLife, submitRun } from '../../../services/runs/registry.ts'
import { tellWaiting } from '../../../services/runs/tell-waiting.ts'
import { until } from '../../support/kafka.ts'
import { memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

test('what a run waits for is printed after a while, and again when it waits for something else', async () => {
  const runtime = await memoryRuntime()
  const run = parityRun('mine')
  await submitRun(runtime, run)
  const said: string[] = []
  const telling = tellWaiting(runtime, 'mine', (line) => said.push(line), 1)
  await until(async () => said.length === 1)
  const topics = [runTopics('mine').progress.name]
  const connect = (groupId: string) =>
    runtime.kafka.consume({ groupId, topics, onBatch: async () => {}, onFailure: () => {} })
  const influence = await connect('winnow.mine.influence.1')
  await until(async () => said.length === 2)
  // A pause is told by whoever closes the services.
  await setLife(runtime, 'mine', 'paused')
  await setLife(runtime, 'mine', 'active')
  const consumer = await connect('winnow.mine.console.1')
  await until(async () =>
    said.includes('run mine is waiting for labels: waits for documents with labels of all its actors (parity v1)'),
  )
  await telling.close()
  await Promise.all([influence.close(), consumer.close()])
  expect(said.slice(0, 2)).toEqual([
    'run mine is recorded: waits for a start: winnow run start mine',
    'run mine is waiting for labels: waits for documents with labels of all its actors (parity v1); no console is connected: winnow run stations --run mine',
  ])
})

test('a failure to find out is not printed and stops nothing', async () => {
  const runtime = await memoryRuntime()
  const said: string[] = []
  let looks = 0
  const kafka = Object.assign(Object.create(runtime.kafka), {
    read: () => {
      looks++
      throw new Error('away')
    },
  })
  const telling = tellWaiting({ ...runtime, kafka }, 'mine', (line) => said.push(line), 1)
  await until(async () => looks > 2)
  await telling.close()
  expect(said).toEqual([])
})
