import { expect, test } from 'vitest'
import { labelsTopic, runTopics, topics } from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import { setLife, submitRun } from '../../../services/runs/registry.ts'
import { cliOn } from '../../support/cli.ts'
import { memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

test('topics --create makes those that are missing of the corpus and of the runs that go on, and lists them', async () => {
  const runtime = await memoryRuntime()
  for (const name of ['going', 'paused', 'over', 'away']) await submitRun(runtime, parityRun(name))
  await setLife(runtime, 'paused', 'paused')
  await setLife(runtime, 'over', 'ended')
  await setLife(runtime, 'away', 'archived')
  const before = await runtime.kafka.topicNames()
  // As a version that knew fewer topics, or other people, left them.
  await runtime.kafka.deleteTopics(before.filter((name) => name !== topics.runs.name))
  const config = { actors: [{ name: 'parity' }], corpus: { partitions: 3 } } as unknown as Config
  const { code, stdout } = await cliOn(runtime, config, '/')('topics', '--create', '--json')
  expect(code).toBe(0)
  const made = new Map(
    (JSON.parse(stdout) as { topic: string; partitions: number }[]).map((one) => [one.topic, one.partitions]),
  )
  const ofRuns = ['going', 'paused'].flatMap((run) => Object.values(runTopics(run)))
  const wanted = [...Object.values(topics), labelsTopic('parity'), ...ofRuns].map(({ name }) => name)
  expect([...made.keys()].toSorted()).toEqual(wanted.toSorted())
  expect(made.get(topics.documents.name)).toBe(3)
})
