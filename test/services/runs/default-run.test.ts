import { expect, test } from 'vitest'
import { defaultRun } from '../../../services/runs/default-run.ts'
import { setLife, submitRun } from '../../../services/runs/registry.ts'
import { fillByParity, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'

test('the default run is the newest one with a selection that is not a control or a replay', async () => {
  const runtime = await memoryRuntime()
  await expect(defaultRun(runtime)).rejects.toMatchObject({ message: 'there is no run yet' })
  const at = (ms: number) => () => ms
  await submitRun(runtime, parityRun('recorded'), null, at(1))
  expect(await defaultRun(runtime)).toBe('recorded')

  await fillByParity(runtime.store, 20)
  await submitRun(runtime, parityRun('first'), null, at(2))
  await submitRun(runtime, parityRun('second'), null, at(3))
  const control = { actors: { parity: { subcategories: ['even', 'odd'], initialTheta: 0 } } }
  const drawn = parityRun('drawn', control, { sampleDocuments: 0 })
  await submitRun(runtime, drawn, null, at(4))
  await recordRun(runtime, parityRun('first'), () => 1)
  await recordRun(runtime, parityRun('second'), () => 1)
  await recordRun(runtime, drawn, () => 1)
  await submitRun(runtime, parityRun('later'), null, at(5))
  await submitRun(runtime, parityRun('again'), 'first', at(6))
  expect(await defaultRun(runtime)).toBe('second')
  // Who says something of an older run does not make it newer.
  await setLife(runtime, 'first', 'paused')
  expect(await defaultRun(runtime)).toBe('second')
  await setLife(runtime, 'second', 'archived')
  expect(await defaultRun(runtime)).toBe('first')
})
