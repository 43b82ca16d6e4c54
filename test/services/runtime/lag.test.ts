import { expect, test } from 'vitest'
import { LagMeter } from '../../../services/runtime/lag.ts'

const kafka = {
  committedOffsets: async () => [4, null, null],
  writtenAt: async (_topic: string, partition: number) => 1000 + partition,
}
const question = { groupId: 'g', topic: 't', ends: [10, 5, 0] }

test('lag is what lies between what a group has committed, or began at, and the end, in each partition', async () => {
  const startOf = (_topic: string, partition: number) => partition * 4
  expect(await new LagMeter(kafka).measure([question, { ...question, startOf }])).toEqual([
    { partitions: [6, 5, 0], oldestMs: 1000 },
    { partitions: [6, 1, 0], oldestMs: 1000 },
  ])
})

test('a group that has committed nothing has a lag only where it is known to have begun', async () => {
  const meter = new LagMeter({ ...kafka, committedOffsets: async () => [null, null, null] })
  expect(await meter.measure([question, { ...question, startOf: () => 0 }])).toEqual([
    undefined,
    { partitions: [10, 5, 0], oldestMs: 1000 },
  ])
})

test('a record that still waits is not asked for again, one that cannot be read yet is', async () => {
  const asked: number[] = []
  const writtenAt = async (_topic: string, partition: number) => {
    asked.push(partition)
    return partition === 0 ? 7 : null
  }
  const meter = new LagMeter({ ...kafka, writtenAt })
  for (let i = 0; i < 2; i++) expect(await meter.measure([question])).toEqual([{ partitions: [6, 0, 0], oldestMs: 7 }])
  expect(asked).toEqual([0, 1, 1])
})
