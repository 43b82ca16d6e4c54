import { expect, test } from 'vitest'
import { Run, topics } from '../../../schemas/index.ts'
import { Follower } from '../../../services/board/follower.ts'
import { BoardModel } from '../../../services/board/model.ts'
import type { Config } from '../../../services/config/config.ts'
import { startRunHost } from '../../../services/host/run-host.ts'
import { defaultRun } from '../../../services/runs/default-run.ts'
import { lookAtRuns } from '../../../services/runs/followed-run.ts'
import { listRuns, namesTaken, submitRun } from '../../../services/runs/registry.ts'
import { cliOn } from '../../support/cli.ts'
import { until } from '../../support/kafka.ts'
import { type MemoryRuntime, memoryRuntime, parityRun } from '../../support/memory-runtime.ts'
import { recordOf } from '../../support/run.ts'

/** As a winnow would record them that knows more than this one, and what is no record of a run. */
async function recordUnreadable({ kafka, codec }: MemoryRuntime): Promise<void> {
  const known = JSON.parse(recordOf(parityRun('x')).config)
  const newer = (name: string, config: string) => ({
    topic: topics.runs.name,
    key: name,
    value: codec.encode(Run, { ...recordOf(parityRun(name)), config }),
  })
  const producer = await kafka.producer()
  await producer.send([
    newer('more', JSON.stringify({ ...known, name: 'more', tokenBudgetPerDay: 7 })),
    newer('other', JSON.stringify({ ...known, name: 'other', model: { folder: 'm' } })),
    newer('cut', '{"name": "cut", '),
    { topic: topics.runs.name, key: 'bytes', value: Buffer.from('no Avro at all') },
    // Does not hide what was recorded before.
    { topic: topics.runs.name, key: 'mine', value: Buffer.from('nor this') },
  ])
  await producer.close()
}

const unreadable = ['more', 'other', 'cut', 'bytes']

async function world() {
  const runtime = await memoryRuntime()
  Object.assign(runtime.store, { forgetReads: async () => {} })
  await submitRun(runtime, parityRun('mine', {}, { sampleDocuments: 0, model: 'shipped:llama-64x2' }))
  await recordUnreadable(runtime)
  const winnow = cliOn(runtime, { actors: [] } as unknown as Config, '/')
  return { runtime, winnow }
}

test('runs of another version of winnow are named, and those that can be read are shown as ever', async () => {
  const { runtime, winnow } = await world()
  const listed = await winnow('run', 'list')
  expect(listed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^mine +/m) })
  for (const name of unreadable) {
    expect(listed.stderr).toContain(`run ${name} cannot be read by this version of winnow: `)
    expect(listed.stderr).toContain(`or remove it: winnow run delete ${name}.`)
  }
  expect(listed.stderr).toContain('tokenBudgetPerDay')
  const lines = (await winnow('run', 'list', '--json')).stdout.trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line)).map(({ run, state }) => [run, state])).toEqual([
    ['mine', 'recorded'],
    ...unreadable.map((name) => [name, 'unreadable']),
  ])
  expect(await defaultRun(runtime)).toBe('mine')
  expect((await lookAtRuns(runtime, (await listRuns(runtime)).values())).map(({ run }) => run.name)).toEqual(['mine'])
  for (const command of ['show', 'pause', 'end'])
    expect(await winnow('run', command, 'more')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('run more cannot be read'),
    })
})

test('the board names them too, and takes one back once it can be read or is gone', async () => {
  const { runtime, winnow } = await world()
  const model = new BoardModel()
  const follower = new Follower(runtime, model)
  await follower.poll()
  const { runs, unreadable: named } = model.snapshot()
  expect(Object.keys(runs!)).toEqual(['mine'])
  expect(named!.map(({ run }) => run)).toEqual(unreadable)
  model.takeChanges()
  for (const name of unreadable.slice(0, 3)) expect((await winnow('run', 'delete', name)).code).toBe(0)
  await follower.poll()
  expect(model.takeChanges()).toEqual({ unreadable: [expect.objectContaining({ run: 'bytes' })] })
})

test('the name of one is taken until it is deleted', async () => {
  const { runtime, winnow } = await world()
  expect(await namesTaken(runtime)).toEqual(['mine', ...unreadable])
  await expect(submitRun(runtime, parityRun('cut'))).rejects.toThrow('run cut cannot be read')
  const deleted = await winnow('run', 'delete', 'cut')
  expect(deleted).toMatchObject({ code: 0, stdout: 'cut deleted\n' })
  await submitRun(runtime, parityRun('cut'))
  expect([...(await listRuns(runtime)).keys()]).toEqual(['mine', 'cut'])
})

test('a host of all runs runs those that it can read', async () => {
  const { runtime } = await world()
  const events: string[] = []
  const host = await startRunHost(runtime, {
    parts: ['stations'],
    onFailure: (error) => events.push(`failed: ${error}`),
    onStarted: ({ name }) => events.push(name),
  })
  await until(async () => events.length > 0)
  await host.close()
  expect(events).toEqual(['mine'])
})
