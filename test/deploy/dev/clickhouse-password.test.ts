import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clickHousePassword } from '../../../deploy/dev/clickhouse-password.ts'

test('each data folder keeps a password of its own, in a file that only its owner can read', () => {
  const folders = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'winnow-password-')))
  const [first, second] = folders.map(clickHousePassword)
  expect(first).toMatch(/^[\w-]{32}$/)
  expect(second).not.toBe(first)
  expect(clickHousePassword(folders[0] as string)).toBe(first)
  expect(statSync(join(folders[0] as string, 'clickhouse-password')).mode & 0o777).toBe(0o600)
  for (const folder of folders) rmSync(folder, { recursive: true })
})
