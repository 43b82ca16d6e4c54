import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { WinnowError } from '../../../services/runtime/errors.ts'
import { exitCodeOf, printError } from '../../../services/runtime/lifecycle.ts'
import { makeFolder } from '../../../services/runtime/make-folder.ts'
import { systemFailure } from '../../../services/runtime/system-failure.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-system-'))
const file = join(folder, 'file')
writeFileSync(file, '')
afterAll(() => rmSync(folder, { recursive: true }))

const inside = join(file, 'inside')
const failures: [string, () => unknown, RegExp][] = [
  [
    'a folder below a file',
    () => makeFolder(join(inside, 'deeper')),
    /file cannot be written: something else is already there/,
  ],
  ['a file below a file', () => writeFile(inside, 'x'), /file\/inside cannot be opened: a part of the path is a file/],
  ['a file in no folder', () => writeFile(join(folder, 'no', 'x'), 'x'), /no\/x cannot be opened: there is no such/],
  ['a folder as a file', () => writeFile(folder, 'x'), /cannot be opened: it is a folder, not a file/],
  ['a folder where a file is', () => mkdir(file), /file cannot be written: something else is already there/],
  ['a name that is too long', () => open(join(folder, 'x'.repeat(300)), 'w'), /cannot be opened: the name is too long/],
]
test.each(failures)(
  '%s is a configuration error, in one line with the path and no stack',
  async (_what, work, line) => {
    const error: unknown = await Promise.resolve()
      .then(work)
      .catch((thrown: unknown) => thrown)
    const written: string[] = []
    printError(error, { stderr: { write: (text) => written.push(text) }, env: {} })
    expect(written).toHaveLength(1)
    expect(written[0]).toMatch(/^winnow: CONFIGURATION: /)
    expect(written[0]).toMatch(line)
    expect(exitCodeOf(error)).toBe(3)
  },
)

test.skipIf(!existsSync('/proc/self'))('a folder where the file system makes none is refused at once', () => {
  expect(systemFailure(thrownBy(() => makeFolder('/proc/winnow/data')))).toMatchObject({ code: 'CONFIGURATION' })
})

test('folders are created recursively, and existing ones are left alone', () => {
  const top = join(folder, 'a')
  expect(makeFolder(join(top, 'b', 'c'))).toBe(top)
  expect(makeFolder(join(top, 'b', 'c'))).toBeUndefined()
})

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

const refused = (code: string, syscall: string) => Object.assign(new Error(code), { code, syscall, path: '/data/x' })

test.each(['EACCES', 'EPERM', 'EROFS'])('%s names the missing permission', (code) => {
  expect(systemFailure(refused(code, 'open'))).toMatchObject({
    code: 'CONFIGURATION',
    message: expect.stringMatching(/^\/data\/x cannot be opened: /),
    hint: expect.stringContaining('access'),
  })
})

test.each(['ENOSPC', 'EDQUOT'])('%s is a full disk, wherever it occurs: exit code 4', (code) => {
  const error = new Error('outer', { cause: Object.assign(new Error(code), { code, syscall: 'write' }) })
  expect(systemFailure(error)).toMatchObject({ code: 'STORAGE_FULL' })
  expect(exitCodeOf(error)).toBe(4)
})

test('an error without a path is a bug and keeps its stack; a WinnowError stays as it is', () => {
  expect(systemFailure(new TypeError('x is not a function'))).toBeUndefined()
  expect(
    systemFailure(Object.assign(new Error('refused'), { code: 'ECONNREFUSED', syscall: 'connect' })),
  ).toBeUndefined()
  expect(exitCodeOf(new WinnowError('BAD_DATA', 'x', { cause: refused('EACCES', 'open') }))).toBe(5)
})
