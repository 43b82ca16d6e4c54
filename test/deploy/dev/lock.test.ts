import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockDataFolder } from '../../../deploy/dev/lock.ts'
import { identityOf } from '../../../deploy/dev/process-identity.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-lock-'))
})
afterEach(() => rmSync(folder, { recursive: true }))
const lockFile = () => join(folder, 'lock.json')

/** Takes the lock over from whoever the file names, as this process, and leaves it. */
function expectTakeOver(): void {
  const unlock = lockDataFolder(folder)
  expect(JSON.parse(readFileSync(lockFile(), 'utf8'))).toEqual(identityOf(process.pid))
  unlock()
  expect(existsSync(lockFile())).toBe(false)
}

test('a folder in use is refused, naming the folder and the process that holds it', () => {
  const unlock = lockDataFolder(folder)
  expect(() => lockDataFolder(folder)).toThrow(
    expect.objectContaining({ code: 'DATA_FOLDER_LOCKED', message: expect.stringContaining(folder) }),
  )
  expect(() => lockDataFolder(folder)).toThrow(new RegExp(`process ${process.pid}`))
  unlock()
  lockDataFolder(folder)()
  expect(existsSync(lockFile())).toBe(false)
})

test('the lock of a process that has exited is taken over', async () => {
  const child = spawn('/bin/sh', ['-c', 'read line'])
  const identity = identityOf(child.pid!)
  child.stdin.end()
  await once(child, 'exit')
  writeFileSync(lockFile(), JSON.stringify(identity))
  expectTakeOver()
})

test('the lock of a process that has exited is taken over even if its pid is in use again', () => {
  writeFileSync(lockFile(), JSON.stringify({ pid: process.pid, started: 'another time' }))
  expectTakeOver()
})

test('a lock file that was only partly written is taken over', () => {
  writeFileSync(lockFile(), '{"pid": 1')
  expectTakeOver()
})

test('unlocking does not remove another process’s lock', () => {
  const unlock = lockDataFolder(folder)
  const other = JSON.stringify({ pid: 1, started: 'x' })
  writeFileSync(lockFile(), other)
  unlock()
  expect(readFileSync(lockFile(), 'utf8')).toBe(other)
})

test('of several processes that find a stale lock, exactly one gets it', async () => {
  writeFileSync(lockFile(), JSON.stringify({ pid: 2 ** 22 + 1, started: 'never' }))
  const lock = fileURLToPath(new URL('../../../deploy/dev/lock.ts', import.meta.url))
  const script = `import { lockDataFolder } from ${JSON.stringify(lock)}
    process.stdin.once('data', () => {
      try { lockDataFolder(${JSON.stringify(folder)}); console.log('got') } catch (error) { console.log(error.code) }
    })
    process.stdin.once('end', () => process.exit())
    console.log('ready')`
  const children = Array.from({ length: 6 }, () => spawn(process.execPath, ['--input-type=module', '-e', script]))
  const said = async (child: (typeof children)[number]) => String((await once(child.stdout, 'data'))[0]).trim()
  try {
    await Promise.all(children.map(said))
    const answers = children.map(said)
    for (const child of children) child.stdin.write('go\n')
    expect((await Promise.all(answers)).sort()).toEqual([...Array(5).fill('DATA_FOLDER_LOCKED'), 'got'])
  } finally {
    for (const child of children) child.stdin.end()
    await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')))
  }
})
