import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'winnow-bin-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a start leaves in a cache of its own. */
function left(name: string, env: NodeJS.ProcessEnv): string[] {
  const cache = join(folder, name)
  const { NODE_COMPILE_CACHE: _, ...own } = process.env
  const version = execFileSync(process.execPath, [join(import.meta.dirname, '../../deploy/bin.mjs'), '--version'], {
    encoding: 'utf8',
    env: { ...own, WINNOW_CACHE: cache, ...env },
  })
  expect(version).toMatch(/^\d+\.\d+\.\d+/)
  return readdirSync(folder).includes(name) ? readdirSync(cache) : []
}

test('what a command compiled is kept in the user’s cache, and works where it cannot be kept', () => {
  expect(left('kept', {})).toEqual(['compiled'])
  expect(left('disabled', { NODE_DISABLE_COMPILE_CACHE: '1' })).toEqual([])
  expect(left('nowhere', { WINNOW_CACHE: import.meta.filename })).toEqual([])
})
