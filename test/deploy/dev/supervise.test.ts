import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import type { Child } from '../../../deploy/dev/child.ts'
import { supervise } from '../../../deploy/dev/supervise.ts'
import type { WinnowError } from '../../../services/runtime/errors.ts'
import { createLog } from '../../../services/runtime/log.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-supervise-'))
const logFile = join(folder, 'broker.log')
afterAll(() => rmSync(folder, { recursive: true }))

interface Program extends Child {
  end(): void
}
let pid = 0
function program(): Program {
  const { promise, resolve } = Promise.withResolvers<void>()
  let ended = false
  const end = () => {
    ended = true
    resolve()
  }
  const stop = async () => {
    end()
    return true
  }
  return {
    name: 'broker',
    identity: { pid: ++pid, started: '0' },
    logFile,
    ended: promise,
    hasEnded: () => ended,
    exitCode: () => null,
    stop,
    end,
  }
}

function supervised(start: (at: number) => Program | Error = program) {
  writeFileSync(logFile, 'started\nsomething broke\n')
  const first = program()
  const running: Program[] = [first]
  const failures: WinnowError[] = []
  const sleeps: number[] = []
  let nowMs = 0
  const one = supervise(
    first,
    async () => {
      const next = start(running.length)
      if (next instanceof Error) throw next
      running.push(next)
      return next
    },
    {
      log: createLog('test', 'silent'),
      clock: () => nowMs,
      sleep: async (ms) => void sleeps.push(ms),
      onFailure: (error) => failures.push(error),
    },
  )
  const endIt = async (laterMs = 1000) => {
    nowMs += laterMs
    running.at(-1)?.end()
    for (let i = 0; i < 5; i++) await turn()
  }
  return { one, running, failures, sleeps, endIt }
}

test('a program that exits unexpectedly is restarted three times with growing waits, then reported', async () => {
  const { one, running, failures, sleeps, endIt } = supervised()
  for (let i = 0; i < 3; i++) await endIt()
  expect({ starts: running.length, sleeps, failures }).toEqual({ starts: 4, sleeps: [500, 1000, 2000], failures: [] })
  expect(one.child).toBe(running.at(-1))
  await endIt()
  expect(running).toHaveLength(4)
  expect(failures).toMatchObject([
    {
      code: 'UNREACHABLE',
      exitCode: 4,
      message: expect.stringContaining('4 times in ten minutes: started | something'),
    },
  ])
})

test('a program whose exits are far apart is restarted each time', async () => {
  const { running, failures, endIt } = supervised()
  for (let i = 0; i < 8; i++) await endIt(600_001)
  expect({ starts: running.length, failures }).toEqual({ starts: 9, failures: [] })
})

test('a restart that fails counts as an exit', async () => {
  const { failures, endIt } = supervised(() => new Error('not ready'))
  await endIt()
  for (let i = 0; i < 20; i++) await turn()
  expect(failures).toMatchObject([{ code: 'UNREACHABLE' }])
})

test('a full disk is reported at once, as a full disk', async () => {
  const { running, failures, endIt } = supervised()
  writeFileSync(
    logFile,
    'java.io.IOException: No space left on device\nShutdown broker because all log dirs have failed\n',
  )
  await endIt()
  expect(running).toHaveLength(1)
  expect(failures).toMatchObject([{ code: 'STORAGE_FULL', exitCode: 4, message: expect.stringContaining('full') }])
})

test('a program that was stopped on purpose is not restarted', async () => {
  const { one, running, failures } = supervised()
  await one.stop()
  expect({ starts: running.length, failures }).toEqual({ starts: 1, failures: [] })
})
