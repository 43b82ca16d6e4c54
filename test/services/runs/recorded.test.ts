import { expect, test } from 'vitest'
import { readManifests, readProgress, readRecordedRun } from '../../../services/runs/recorded.ts'
import { runnable, setLife, submitRun } from '../../../services/runs/registry.ts'
import { memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

test('a run that was never started has no decisions and no reports, and no read of it fails', async () => {
  const runtime = await memoryRuntime()
  await submitRun(runtime, parityRun('mine'))
  expect(await readManifests(runtime, 'mine')).toEqual([])
  expect(await readProgress(runtime, 'mine')).toEqual([])
  await expect(readRecordedRun(runtime, 'mine')).rejects.toThrow('run mine has selected nothing yet')
})

test('services may be started for an active or paused run, but not for a replay or an ended run', async () => {
  const runtime = await memoryRuntime()
  await submitRun(runtime, parityRun('mine'))
  expect(await runnable(runtime, 'mine')).toMatchObject({ life: 'active', run: { name: 'mine' } })
  await setLife(runtime, 'mine', 'paused')
  expect((await runnable(runtime, 'mine')).life).toBe('paused')
  await setLife(runtime, 'mine', 'ended')
  await expect(runnable(runtime, 'mine')).rejects.toThrow('has ended')
  await submitRun(runtime, parityRun('again'), 'mine')
  await expect(runnable(runtime, 'again')).rejects.toThrow('again is a replay of mine')
  await expect(setLife(runtime, 'again', 'paused')).rejects.toThrow('nothing of it runs')
  await expect(runnable(runtime, 'mien')).rejects.toMatchObject({ hint: 'Did you mean mine?' })
})
