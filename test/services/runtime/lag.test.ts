import { expect, test } from 'vitest'
import { LagMeter } from '../../../services/runtime/lag.ts'

const kafka = {
  committedOffsets: async () => [4, null, null],
  writtenAt: async (_topic: string, partition: number) => 1000 + partition,
}
const question = { groupId: 'g', topic: 't', ends: [10, 5, 0] }

test('lag per partition is the distance from the committed or starting offset to the end', async () => {
  const startOf = (_topic: string, partition: number) => partition * 4
  expect(await new LagMeter(kafka).measure([question, { ...question, startOf }])).toEqual([
    { partitions: [6, 5, 0], oldestMs: 1000 },
    { partitions: [6, 1, 0], oldestMs: 1000 },
  ])
})

test('a group without commits has a lag only if its starting offset is known', async () => {
  const meter = new LagMeter({ ...kafka, committedOffsets: async () => [null, null, null] })
  expect(await meter.measure([question, { ...question, startOf: () => 0 }])).toEqual([
    undefined,
    { partitions: [10, 5, 0], oldestMs: 1000 },
  ])
})

test('a record known to be waiting is not read again; one that could not be read yet is', async () => {
  const asked: number[] = []
  const writtenAt = async (_topic: string, partition: number) => {
    asked.push(partition)
    return partition === 0 ? 7 : null
  }
  const meter = new LagMeter({ ...kafka, writtenAt })
  for (let i = 0; i < 2; i++) expect(await meter.measure([question])).toEqual([{ partitions: [6, 0, 0], oldestMs: 7 }])
  expect(asked).toEqual([0, 1, 1])
})
