import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cacheFolder, verify } from '../../../deploy/dev/artifacts.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-artifacts-'))
  writeFileSync(join(folder, 'a.jar'), 'a')
})
afterEach(() => rmSync(folder, { recursive: true }))
const line = (name: string, content: string) => `${createHash('sha256').update(content).digest('hex')}  ${name}\n`

test('files are accepted while their checksums match the pins, and refused once one changes', async () => {
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

test('the cache folder is WINNOW_CACHE, else below XDG_CACHE_HOME, else below the home folder, and its name follows the pins', () => {
  const home = join(homedir(), '.cache/winnow')
  for (const [env, folderOf] of [
    [{ WINNOW_CACHE: '/cache', XDG_CACHE_HOME: '/xdg' }, '/cache'],
    [{ XDG_CACHE_HOME: '/xdg' }, '/xdg/winnow'],
    [{ XDG_CACHE_HOME: 'relative' }, home],
    [{ XDG_CACHE_HOME: '' }, home],
    [{}, home],
  ] as const) {
    const found = cacheFolder(env)
    expect(dirname(found)).toBe(folderOf)
    expect(basename(found)).toMatch(/^[0-9a-f]{16}$/)
  }
})
