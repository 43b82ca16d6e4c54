import { expect, test } from 'vitest'
import type { Config } from '../../../services/config/config.ts'
import { cliOn } from '../../support/cli.ts'
import { memoryRuntime } from '../../support/memory-runtime.ts'

test('retrain wants documents from one place, and names a run that is not recorded', async () => {
  const winnow = cliOn(await memoryRuntime(), {} as Config, '/')
  const neither = await winnow('retrain', 'r', '--out', 'x')
  expect([neither.code, neither.stderr]).toEqual([2, expect.stringContaining('one of --without and --request')])
  const missing = await winnow('retrain', 'r', '--without', 'no-such-file', '--out', 'x')
  expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining('no-such-file cannot be read')])
})
