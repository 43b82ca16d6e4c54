import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type DocumentId,
  type Exclusion,
  labelsTopic,
  type Manifest,
  RoundOpened,
  runTopics,
  topics,
} from '../../../schemas/index.ts'
import { definitionOf } from '../../../services/connections/connections.ts'
import { isThere, startDecontamination } from '../../../services/host/decontamination.ts'
import { addEvalSet, removeEvalSet } from '../../../services/runs/eval-sets/record.ts'
import { readTopic } from '../../../services/runs/recorded.ts'
import type { Service } from '../../../services/runtime/service.ts'
import { runStation } from '../../../services/runtime/station.ts'
import { selectionIds } from '../../../services/selections/chunks.ts'
import { labelSinkStation } from '../../../topologies/dataflow.ts'
import { until } from '../../support/kafka.ts'
import { type MemoryRuntime, memoryRuntime, parityRun, recordRun, sendByParity } from '../../support/memory-runtime.ts'

const item = 'which of these four birds is known to sleep while it flies over the open sea for months'
const other = 'name the river that the oldest bridge of the town crosses and say in which year it was built'
const planted = new Map([
  [3, item],
  [8, other],
  [14, item.toUpperCase()],
])
const textOf = (n: number): string => `document ${n} begins here. ${planted.get(n) ?? ''} And it ends.`

let runtime: MemoryRuntime
const services: Service[] = []
const fail = (error: unknown) => {
  throw error
}

beforeEach(async () => {
  runtime = await memoryRuntime()
  await runtime.kafka.createTopics([definitionOf(labelsTopic('parity'), { partitions: 1, recordBytesMax: 1e6 })])
  const station = labelSinkStation(['parity'])
  const build = () => station.build({ store: runtime.store }, {} as never)
  const sink = await runStation({ ...runtime, station, build, groupId: 'sink', onFailure: fail })
  services.push({ name: 'sink', close: () => sink.close() })
})
afterEach(async () => {
  for (const service of services.splice(0)) await service.close()
  await runtime.close()
})

const ingest = (from: number, to: number) => sendByParity(runtime, [from, to], textOf)

const add = (name: string, items: string[]) =>
  addEvalSet(runtime, { name, ngram: 13, share: 0.5, items, by: 'somebody', origin: `${name}.jsonl` })

async function selected(manifest: Manifest): Promise<DocumentId[]> {
  const ids: DocumentId[] = []
  for await (const some of selectionIds(runtime, manifest)) ids.push(...some)
  return ids
}

const exclusions = async () => (await readTopic(runtime, topics.exclusions.name)).map(({ value }) => value as Exclusion)

test('documents with an item of an evaluation set are in no selection: a round opens once all that it sees has been compared', async () => {
  await ingest(0, 20)
  await add('birds', [item])
  const run = parityRun('clean', { budget: { documents: 100 }, firstSelection: 'weights' })
  const recording = recordRun(runtime, run, () => 0.5)
  // Nobody compares yet: the run waits.
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect((await runtime.kafka.topicNames()).includes(runTopics('clean').consoleState.name)).toBe(true)
  expect(await readTopic(runtime, runTopics('clean').consoleState.name)).toEqual([])
  services.push(await startDecontamination(runtime, fail))
  const manifests = await recording
  expect(manifests).toHaveLength(3)
  for (const manifest of manifests) {
    const ids = await selected(manifest)
    expect(ids).toHaveLength(18)
    expect(ids).not.toContain(3n)
    expect(ids).not.toContain(14n)
    expect(manifest.labelOffsets.some(({ topic }) => topic === topics.exclusions.name)).toBe(true)
  }
  const [first, ...others] = await exclusions()
  expect(others).toHaveLength(1)
  const { from, to, ...contained } = first!.contained!
  expect({ ...first, contained }).toEqual({
    ...{ docId: 3n, list: 'eval-set/birds', reason: 'contamination', excluded: true, by: 'decontamination' },
    ...{ recordedMs: expect.any(Number), contained: { item: 0, found: 6, of: 6 } },
  })
  expect(textOf(3).slice(from, to)).toBe(item)
})

test('a set that is added later takes documents out from the next round on, and its removal takes them back in', async () => {
  await ingest(0, 20)
  services.push(await startDecontamination(runtime, fail))
  const run = parityRun('later', { budget: { documents: 100 } }, { steps: 12 })
  const seen: number[] = []
  // Before the reports that open them: round 1 and 2 have a set, of round 3 it has been removed.
  const manifests = await recordRun(
    runtime,
    run,
    () => 0.5,
    async (round) => {
      seen.push(round)
      if (round === 1) expect(await add('birds', [item])).toBe(true)
      if (round === 1) expect(await add('birds', [item])).toBe(false)
      if (round === 1) await expect(add('birds', [other])).rejects.toThrow(/there is another evaluation set birds/)
      if (round === 2) await ingest(20, 24)
      if (round === 3) expect(await removeEvalSet(runtime, 'birds', 'somebody')).toBe(2)
      if (round === 3) await until(async () => (await exclusions()).length === 4)
      if (round === 3) await sunkAll()
    },
  )
  const sizes = []
  for (const manifest of manifests) sizes.push((await selected(manifest)).length)
  // What comes before round 2 may be labelled too late for it.
  expect(sizes.toSpliced(2, 1)).toEqual([20, 18, 24, 24, 24])
  const opened = (await readTopic(runtime, runTopics('later').consoleState.name)).filter(
    ({ record }) => record === RoundOpened.name,
  )
  expect(opened).toHaveLength(6)
  expect(seen).toEqual([1, 2, 3, 4, 5])
})

async function sunkAll(): Promise<void> {
  const [end] = await runtime.kafka.endOffsets(topics.exclusions.name)
  await until(async () =>
    (await runtime.store.committed()).some(
      ({ topic, offsetNext }) => topic === topics.exclusions.name && offsetNext >= end!,
    ),
  )
}

test('others see whether somebody compares documents, also before there is a set to compare them with', async () => {
  expect(await isThere(runtime)).toBe(false)
  const station = await startDecontamination(runtime, fail)
  expect(await isThere(runtime)).toBe(true)
  await station.close()
  expect(await isThere(runtime)).toBe(false)
})
