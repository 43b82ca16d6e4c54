import { expect, test } from 'vitest'
import type { Config } from '../../../services/config/config.ts'
import { cliOn } from '../../support/cli.ts'
import { memoryRuntime } from '../../support/memory-runtime.ts'

test('strategies lists every preset, and prints one as run.yaml takes it', async () => {
  const winnow = cliOn(await memoryRuntime(), undefined as unknown as Config, '.')
  const list = await winnow('strategies')
  expect(list.code).toBe(0)
  expect(list.stdout).toMatch(/qurating-edu\s+educational, domain/)
  const shown = await winnow('strategies', 'show', 'fineweb-edu', '--json')
  expect(JSON.parse(shown.stdout).parts).toEqual({
    pool: [{ actor: 'quality', scoreAbove: 2.5 }],
    score: { kind: 'zero' },
    sampler: { kind: 'top' },
  })
  const unknown = await winnow('strategies', 'show', 'fineweb')
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('fineweb-edu')
})
