import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endOrphan, readyOrStopped, startChild } from '../../../deploy/dev/child.ts'
import { identityOf, isAlive, type ProcessIdentity } from '../../../deploy/dev/process-identity.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-child-'))
})
afterEach(() => rmSync(folder, { recursive: true }))
const shell = (script: string) => startChild('a script', ['/bin/sh', '-c', script], join(folder, 'log'), folder)
const ready = async () => undefined

test('a program is ready once its log says so, and is gone after stop', async () => {
  const child = await readyOrStopped(shell('echo starting; sleep 0.1; echo ready; exec sleep 60'), /^ready$/m, ready)
  expect(isAlive(child.identity)).toBe(true)
  expect(await child.stop()).toBe(true)
  expect(isAlive(child.identity)).toBe(false)
  // Its watch was killed with it; the system takes a moment to clear the remains away.
  await expect.poll(() => groupExists(child.identity.pid), { timeout: 10_000 }).toBe(false)
})

test('a program that exits while starting is an error that shows the end of its log', async () => {
  const child = shell('echo Address already in use; exit 3')
  await expect(readyOrStopped(child, /never/, ready)).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/a script ended while starting:\nAddress already in use$/),
  })
})

test('of a log in one long line the error shows the end', async () => {
  const child = shell('printf %020000d 0; echo Permission denied; exit 1')
  const error = await readyOrStopped(child, /never/, ready).catch((reason: Error) => reason)
  expect(error).toMatchObject({ message: expect.stringMatching(/ended while starting:\n…0+Permission denied$/) })
  expect((error as Error).message.length).toBeLessThan(2100)
})

test('a program that is ready but fails the check is stopped', async () => {
  const child = shell('echo ready; exec sleep 60')
  const check = () => Promise.reject(new Error('a stranger'))
  await expect(readyOrStopped(child, /ready/, check)).rejects.toThrow('a stranger')
  expect(isAlive(child.identity)).toBe(false)
})

test('a program that ignores SIGTERM is killed after the grace period', async () => {
  const child = await readyOrStopped(shell("trap '' TERM; echo ready; while :; do sleep 0.1; done"), /ready/, ready)
  expect(await child.stop(200)).toBe(false)
  expect(isAlive(child.identity)).toBe(false)
})

test('the log of the previous start is kept', async () => {
  await shell('echo first').ended
  await shell('echo second').ended
  expect(readFileSync(join(folder, 'log.1'), 'utf8')).toBe('first\n')
  expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('second\n')
})

test('a program exits when the process that started it is killed', async () => {
  const identity = await startedByAnother('exec sleep 60', (parent) => parent.kill('SIGKILL'))
  for (let i = 0; i < 100 && isAlive(identity); i++) await sleep(50)
  expect(isAlive(identity)).toBe(false)
})

test('an orphan of an earlier start is stopped; an unrelated process that has its pid is not', async () => {
  const orphan = spawn('/bin/sh', ['-c', 'exec sleep 60'], { detached: true })
  const identity = identityOf(orphan.pid!)
  expect(await endOrphan({ pid: identity.pid, started: 'another time' })).toBe(false)
  expect(isAlive(identity)).toBe(true)
  expect(await endOrphan(identity)).toBe(true)
  expect(isAlive(identity)).toBe(false)
})

function groupExists(pid: number): boolean {
  try {
    return process.kill(-pid, 0)
  } catch {
    return false
  }
}

/** Starts a program from another Node process, does something to that process, and gives the program's identity. */
async function startedByAnother(
  command: string,
  then: (parent: ReturnType<typeof spawn>) => void,
): Promise<ProcessIdentity> {
  const module = fileURLToPath(new URL('../../../deploy/dev/child.ts', import.meta.url))
  const script = `import { startChild } from ${JSON.stringify(module)}
    const child = startChild('a script', ['/bin/sh', '-c', ${JSON.stringify(command)}], ${JSON.stringify(join(folder, 'log'))}, '/')
    console.log(JSON.stringify(child.identity))
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const identity = JSON.parse(String((await once(parent.stdout!, 'data'))[0])) as ProcessIdentity
  expect(isAlive(identity)).toBe(true)
  then(parent)
  await once(parent, 'exit')
  return identity
}
