import { EventEmitter } from 'node:events'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { WinnowError } from '../../../services/runtime/errors.ts'
import { exitCodeOf, interruptible, printError, runUntilSignal } from '../../../services/runtime/lifecycle.ts'

/** A process of its own to send signals to. */
class Host extends EventEmitter {
  readonly written: string[] = []
  readonly exits: number[] = []
  readonly env: NodeJS.ProcessEnv = {}
  readonly stderr: { write: (text: string) => void; isTTY: boolean }
  constructor(isTTY = false) {
    super()
    this.stderr = { write: (text) => void this.written.push(text), isTTY }
  }
  exit(code: number): void {
    this.exits.push(code)
  }
}

const closing = (name: string, closed: string[]) => async () => void closed.push(name)

test('the first signal closes what was started, last first, and the exit code is 0', async () => {
  const host = new Host()
  const closed: string[] = []
  const running = runUntilSignal(async (started) => {
    started.defer(closing('a', closed))
    started.defer(closing('b', closed))
  }, host)
  await turn()
  expect(closed).toEqual([])
  host.emit('SIGTERM')
  expect(await running).toBe(0)
  expect(closed).toEqual(['b', 'a'])
  expect(host.listenerCount('SIGINT') + host.listenerCount('SIGTERM')).toBe(0)
})

test('a second signal ends the process with 130 while the first one still drains', async () => {
  const host = new Host()
  let drained = () => {}
  const slow = () => new Promise<void>((resolve) => (drained = resolve))
  const running = runUntilSignal(async (started) => started.defer(slow), host)
  await turn()
  host.emit('SIGINT')
  await turn()
  expect(host.exits).toEqual([])
  await sleep(310)
  host.emit('SIGINT')
  expect(host.exits).toEqual([130])
  drained()
  expect(await running).toBe(0)
})

test('a Ctrl-C that a launcher forwards as well counts once', async () => {
  const host = new Host()
  let drained = () => {}
  const slow = () => new Promise<void>((resolve) => (drained = resolve))
  const running = runUntilSignal(async (started) => started.defer(slow), host)
  await turn()
  host.emit('SIGINT')
  await turn()
  host.emit('SIGINT')
  host.emit('SIGTERM')
  expect(host.exits).toEqual([])
  drained()
  expect(await running).toBe(0)
})

test('a signal during startup aborts it', async () => {
  const host = new Host()
  const start = (_started: AsyncDisposableStack, signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
  const running = runUntilSignal(start, host)
  host.emit('SIGINT')
  expect(await running).toBe(0)
  expect(host.written).toEqual([])
})

test('a failed start is printed in one line with its hint, and gives its exit code', async () => {
  const host = new Host()
  const start = async () => {
    throw new WinnowError('UNREACHABLE', 'Nothing answers\n at :9092.', { hint: 'Start a broker.' })
  }
  expect(await runUntilSignal(start, host)).toBe(4)
  expect(host.written).toEqual(['winnow: UNREACHABLE: Nothing answers at :9092. Start a broker.\n'])
})

test('a failure after startup closes everything, and is the one printed', async () => {
  const host = new Host()
  const closed: string[] = []
  const running = runUntilSignal(async (started, _signal, fail) => {
    setTimeout(() => fail(new WinnowError('BAD_DATA', 'A record is bad.')), 1)
    started.defer(closing('a', closed))
    started.defer(() => Promise.reject(new Error('closing failed because of it')))
  }, host)
  expect(await running).toBe(5)
  expect(closed).toEqual(['a'])
  expect(host.written).toEqual(['winnow: BAD_DATA: A record is bad.\n'])
})

test('what a failed startup had started is closed, last first', async () => {
  const host = new Host()
  const closed: string[] = []
  const start = async (started: AsyncDisposableStack) => {
    started.defer(closing('a', closed))
    started.defer(closing('b', closed))
    throw new WinnowError('USAGE', 'No.')
  }
  expect(await runUntilSignal(start, host)).toBe(2)
  expect(closed).toEqual(['b', 'a'])
})

test('of a failure and further ones while closing, the first is printed and decides the exit code', async () => {
  const host = new Host()
  const block = async () => {
    await using opened = new AsyncDisposableStack()
    opened.defer(() => Promise.reject(new Error('the last to be closed')))
    opened.defer(() => Promise.reject(new Error('the first to be closed')))
    throw new WinnowError('UNREACHABLE', 'Nothing answers.')
  }
  const failure = await block().catch((error: unknown) => error)
  printError(failure, host)
  expect(host.written).toEqual(['winnow: UNREACHABLE: Nothing answers.\n'])
  expect(exitCodeOf(failure)).toBe(4)
})

test('the line is red on a terminal, unless NO_COLOR is set; a bug shows its stack', () => {
  const terminal = new Host(true)
  printError(new WinnowError('USAGE', 'No.'), terminal)
  expect(terminal.written).toEqual(['\u001b[31mwinnow: USAGE: No.\u001b[39m\n'])
  const plain = new Host(true)
  plain.env.NO_COLOR = '1'
  printError(new TypeError('x is undefined'), plain)
  expect(plain.written[0]).toBe('winnow: UNEXPECTED: x is undefined\n')
  expect(plain.written[1]).toMatch(/TypeError: x is undefined\n +at /)
})

const hanging = () => new Promise<void>(() => {})

test('whatever hangs while closing is abandoned, and the process exits', async () => {
  const host = new Host()
  const closed: string[] = []
  const start = async (started: AsyncDisposableStack) => {
    started.defer(hanging)
    started.defer(closing('board', closed))
  }
  const running = runUntilSignal(start, host, 20)
  await turn()
  host.emit('SIGTERM')
  expect(await running).toBe(0)
  expect(closed).toEqual(['board'])
  expect(host.exits).toEqual([0])
  expect(host.written.join('')).toContain("'winnow doctor' names what hangs")
})

test('a failure followed by a hang is printed and keeps its exit code', async () => {
  const host = new Host()
  const start = async (started: AsyncDisposableStack, _signal: AbortSignal, fail: (error: unknown) => void) => {
    started.defer(hanging)
    setTimeout(() => fail(new WinnowError('BAD_DATA', 'A checkpoint is truncated.')), 1)
  }
  expect(await runUntilSignal(start, host, 20)).toBe(5)
  expect(host.exits).toEqual([5])
  expect(host.written[0]).toBe('winnow: BAD_DATA: A checkpoint is truncated.\n')
})

test('a startup that ignores signals is ended all the same', async () => {
  const host = new Host()
  void interruptible(host, () => {}, 20)
  host.emit('SIGTERM')
  await sleep(60)
  expect(host.exits).toEqual([130])
  expect(host.written.join('')).toContain('done again at the next start')
})
