import { expect, test } from 'vitest'
import { Progress, runTopics } from '../../../schemas/index.ts'
import { createRunTopics } from '../../../services/connections/connections.ts'
import { followProgress } from '../../../services/host/progress.ts'
import { until } from '../../support/kafka.ts'
import { memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

test('only new reports are announced, and the last step once, even if it was reported before', async () => {
  const runtime = await memoryRuntime()
  const run = parityRun('mine')
  await createRunTopics(runtime.kafka, run)
  const producer = await runtime.kafka.producer()
  const losses = { trainLoss: null, referenceLoss: null, corpusLoss: null }
  const report = async (step: number) => {
    const value = { run: 'mine', step, tokens: step, round: 0, position: 0, ...losses, checkpoint: null }
    const topic = runTopics('mine').progress.name
    await producer.send([{ topic, key: 'mine', value: runtime.codec.encode(Progress, value) }])
  }
  await report(2)
  const told: (number | string)[] = []
  const hooks = { onProgress: ({ step }: Progress) => told.push(step), onDone: () => told.push('done') }
  const first = await followProgress(runtime, run, hooks)
  await report(4)
  await producer.send([{ topic: runTopics('mine').progress.name, key: 'mine', value: Buffer.from('no report') }])
  await report(6)
  await report(6)
  await until(async () => told.length === 4)
  expect(told).toEqual([4, 6, 'done', 6])
  await first?.close()

  const later = await followProgress(runtime, run, hooks)
  await until(async () => told.length === 5)
  expect(told.slice(4)).toEqual(['done'])
  await later?.close()
})

test('a service that may not read reports works without them', async () => {
  const runtime = await memoryRuntime()
  const kafka = Object.assign(Object.create(runtime.kafka), {
    consume: () => Promise.reject(new Error('not authorized')),
  })
  expect(await followProgress({ ...runtime, kafka }, parityRun('mine'), { onDone: () => {} })).toBeUndefined()
})
