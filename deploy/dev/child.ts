import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { WinnowError } from '../../services/runtime/errors.ts'
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.ts'

/** A program that runs for this process and never outlives it. */
export interface Child {
  name: string
  identity: ProcessIdentity
  logFile: string
  /** Resolves when it has ended, whoever ended it. */
  ended: Promise<void>
  hasEnded(): boolean
  /** SIGTERM, and SIGKILL after `graceMs`; resolves when it is gone, with whether it went without SIGKILL. */
  stop(graceMs?: number): Promise<boolean>
}

// The shell starts a watch and becomes the program. The watch reads a pipe whose other end only our process holds: the kernel closes
// it whatever ends us, SIGKILL included, and then the program is asked to end and after ten seconds made to.
const watched = `
exec 3<&0
program=$$
( cat <&3 >/dev/null; kill -TERM $program 2>/dev/null || exit 0; sleep 10; kill -KILL $program 2>/dev/null ) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
`

const stopGraceMs = 10_000
// Two to eight seconds on two cores; a machine that is twenty times as slow is broken rather than slow.
const readyTimeoutMs = 120_000

/**
 * Starts a program in a process group of its own (so that Ctrl-C in the terminal reaches us alone, and we end it in order), its output
 * in `logFile`; the log before is kept as `.1`.
 */
export function startChild(
  name: string,
  command: readonly string[],
  logFile: string,
  cwd: string,
  env = process.env,
): Child {
  if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`)
  const log = openSync(logFile, 'a')
  const child = spawn('/bin/sh', ['-c', watched, name, ...command], {
    cwd,
    env,
    detached: true,
    stdio: ['pipe', log, log],
  })
  closeSync(log)
  // The pipe alone must not keep our process from ending.
  child.stdin?.on('error', () => undefined)
  ;(child.stdin as unknown as { unref?: () => void } | null)?.unref?.()
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  if (child.pid === undefined) throw new WinnowError('UNEXPECTED', `${name} could not be started: ${command[0]}`)
  const pid = child.pid
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  void ended.then(() => child.stdin?.destroy())
  return {
    name,
    identity: identityOf(pid),
    logFile,
    ended,
    hasEnded,
    stop: (graceMs = stopGraceMs) => stopChild(child, pid, ended, hasEnded, graceMs),
  }
}

async function stopChild(
  child: ChildProcess,
  pid: number,
  ended: Promise<void>,
  hasEnded: () => boolean,
  graceMs: number,
): Promise<boolean> {
  if (!hasEnded()) {
    child.kill('SIGTERM')
    await Promise.race([ended, sleep(graceMs, undefined, { ref: false })])
  }
  const heeded = hasEnded()
  // What is left of the group: the program if it did not go, and its watch.
  signalGroup(pid, 'SIGKILL')
  await ended
  return heeded
}

/** Ends a process of an earlier start whose owner was killed, if it still runs. */
export async function endOrphan(identity: ProcessIdentity, graceMs = stopGraceMs): Promise<boolean> {
  if (!isAlive(identity)) return false
  signalGroup(identity.pid, 'SIGTERM')
  for (let waitedMs = 0; waitedMs < graceMs && isAlive(identity); waitedMs += 50) await sleep(50)
  if (isAlive(identity)) signalGroup(identity.pid, 'SIGKILL')
  while (isAlive(identity)) await sleep(20)
  return true
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // Nothing of the group is left.
  }
}

/**
 * Gives the program when its own log says that it is ready (its own words prove that it is ours, which an open port does not) and
 * `check` passes; else stops it. UNREACHABLE with the end of the log if it ends first or takes longer.
 */
export async function readyOrStopped(
  child: Child,
  ready: RegExp,
  check: () => Promise<void>,
  signal?: AbortSignal,
): Promise<Child> {
  try {
    await waitForLog(child, ready, readyTimeoutMs, signal)
    await check()
    signal?.throwIfAborted()
    return child
  } catch (error) {
    await child.stop()
    throw error
  }
}

async function waitForLog(child: Child, ready: RegExp, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += 50) {
    signal?.throwIfAborted()
    const text = readFileSync(child.logFile, 'utf8')
    if (ready.test(text)) return
    if (child.hasEnded() || waitedMs >= timeoutMs) {
      const what = child.hasEnded() ? 'ended while starting' : `was not ready after ${timeoutMs / 1000} s`
      throw new WinnowError('UNREACHABLE', `${child.name} ${what}:\n${text.trim().split('\n').slice(-12).join('\n')}`, {
        hint: `Its whole log is ${child.logFile}`,
      })
    }
    await sleep(50)
  }
}
