import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cacheFolder, verify } from '../../../deploy/dev/artifacts.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-artifacts-'))
  writeFileSync(join(folder, 'a.jar'), 'a')
})
afterEach(() => rmSync(folder, { recursive: true }))
const line = (name: string, content: string) => `${createHash('sha256').update(content).digest('hex')}  ${name}\n`

test('files with their pinned checksums pass, until one of them changes', async () => {
  const checksums = line('a.jar', 'a')
  await verify(folder, checksums)
  writeFileSync(join(folder, 'a.jar'), 'A')
  await expect(verify(folder, checksums)).rejects.toThrow('a.jar has the checksum')
})

test.each([
  ['a file with another content', line('a.jar', 'other'), /a\.jar has the checksum ca978112/],
  ['a file that is missing', line('a.jar', 'a') + line('b.jar', 'b'), /b\.jar is missing/],
  ['a file that nobody pinned', line('b.jar', 'b'), /a\.jar is not expected/],
])('%s is refused by name', async (_what, checksums, message) => {
  await expect(verify(folder, checksums)).rejects.toMatchObject({
    code: 'CONFIGURATION',
    message: expect.stringMatching(message),
  })
})

test('the cache lies where WINNOW_CACHE says, in a folder named after the pins', () => {
  expect(cacheFolder({ WINNOW_CACHE: '/cache' })).toMatch(/^\/cache\/[0-9a-f]{16}$/)
  expect(cacheFolder({})).toMatch(/\/\.cache\/winnow\/[0-9a-f]{16}$/)
})
