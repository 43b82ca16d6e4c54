import { expect, test } from 'vitest'
import { runTopics } from '../../../schemas/index.ts'
import { deleteRun } from '../../../services/runs/delete-run.ts'
import { listRuns, submitRun } from '../../../services/runs/registry.ts'
import { fillByParity, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'

async function recorded() {
  const runtime = await memoryRuntime()
  await fillByParity(runtime.store, 40)
  await recordRun(runtime, parityRun('mine'), () => 1)
  await recordRun(runtime, parityRun('mine-2'), () => 1)
  const forgotten: string[] = []
  const store = Object.assign(runtime.store, {
    forgetReads: async (run: string) => {
      forgotten.push(run)
    },
  })
  const left = async () => ({
    runs: [...(await listRuns(runtime)).keys()],
    topics: (await runtime.kafka.topicNames()).filter((name) => name.startsWith('winnow.run.mine.')),
    groups: [...runtime.kafka.committed.keys()].filter((place) => place.startsWith('winnow.mine.')),
  })
  return { runtime: { ...runtime, store }, forgotten, left }
}

test('a deleted run leaves no topic, group or record, a run whose name starts alike is untouched, and the name is free again', async () => {
  const { runtime, left, forgotten } = await recorded()
  expect((await left()).groups).not.toEqual([])
  await deleteRun(runtime, 'mine')
  expect(await left()).toEqual({ runs: ['mine-2'], topics: [], groups: [] })
  expect(forgotten).toEqual(['mine'])
  expect(await runtime.kafka.topicNames()).toContain(runTopics('mine-2').consoleState.name)
  expect([...runtime.kafka.committed.keys()].some((place) => place.startsWith('winnow.mine-2.'))).toBe(true)
  await submitRun(runtime, parityRun('mine', { seed: 9 }))
  expect((await left()).runs).toEqual(['mine-2', 'mine'])
})

test.each(['deleteTopics', 'deleteGroups'] as const)(
  'a deletion killed at %s leaves the run listed as ended, and the same call removes the rest',
  async (where) => {
    const { runtime, left } = await recorded()
    const own = runtime.kafka[where].bind(runtime.kafka)
    Object.assign(runtime.kafka, { [where]: () => Promise.reject(new Error('killed')) })
    await expect(deleteRun(runtime, 'mine')).rejects.toThrow('killed')
    expect((await listRuns(runtime)).get('mine')?.life).toBe('ended')
    Object.assign(runtime.kafka, { [where]: own })
    await deleteRun(runtime, 'mine')
    expect(await left()).toEqual({ runs: ['mine-2'], topics: [], groups: [] })
    await expect(deleteRun(runtime, 'mine')).rejects.toThrow('there is no run mine')
  },
)

test('while a service of the run is still connected, nothing is removed', async () => {
  const { runtime, left } = await recorded()
  const { name } = runTopics('mine').rewardRequests
  const consumer = await runtime.kafka.consume({
    groupId: 'winnow.mine.influence',
    topics: [name],
    onBatch: async () => {},
    onFailure: () => {},
  })
  await expect(deleteRun(runtime, 'mine', 0)).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringContaining('winnow.mine.influence on here'),
  })
  expect((await left()).topics).toHaveLength(Object.keys(runTopics('mine')).length)
  await consumer.close()
  await deleteRun(runtime, 'mine', 0)
  expect((await left()).runs).toEqual(['mine-2'])
})
