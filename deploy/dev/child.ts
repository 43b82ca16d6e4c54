import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { WinnowError } from '../../services/runtime/errors.ts'
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.ts'

/** A child program that never outlives this process. */
export interface Child {
  name: string
  identity: ProcessIdentity
  logFile: string
  /** Resolves when it has ended, for whatever reason. */
  ended: Promise<void>
  hasEnded(): boolean
  /** null: it still runs, or a signal ended it. */
  exitCode(): number | null
  /** Sends SIGTERM, and SIGKILL after `graceMs`; resolves when it has ended, with whether it needed no SIGKILL. */
  stop(graceMs?: number): Promise<boolean>
}

// The shell starts a watchdog and becomes the program. The watchdog reads a pipe whose other end only our process holds: the kernel closes
// it however we end, even by SIGKILL, and the watchdog then sends the program SIGTERM and, after ten seconds, SIGKILL.
const watched = `
exec 3<&0
program=$$
( cat <&3 >/dev/null; kill -TERM $program 2>/dev/null || exit 0; sleep 10; kill -KILL $program 2>/dev/null ) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
`

const stopGraceMs = 10_000
// Two to eight seconds on two cores; a machine twenty times slower is broken rather than slow.
const readyTimeoutMs = 120_000

/**
 * Starts a program in its own process group (so that Ctrl-C in the terminal reaches only us, and we stop it in order), with its output in
 * `logFile`; the previous log is kept as `.1`.
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
  // The pipe must not keep our process alive.
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
    exitCode: () => child.exitCode,
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
  // What is left of the group: the program, if it is still there, and its watchdog.
  signalGroup(pid, 'SIGKILL')
  await ended
  return heeded
}

/** Ends a process left by an earlier start whose owner was killed, if it still runs. */
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
 * Returns the program once its log says that it is ready (which proves that it is ours, as an open port does not) and `check` passes; else
 * stops it. UNREACHABLE with the end of the log if it ends first or takes longer.
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

/** What a message shows of a log. A line may be all that a program printed: Kafka's image writes its whole configuration so. */
function endOf(log: string): string {
  const end = log.trim().split('\n').slice(-12).join('\n')
  return end.length <= shownMax ? end : `…${end.slice(-shownMax)}`
}
const shownMax = 2000

async function waitForLog(child: Child, ready: RegExp, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += 50) {
    signal?.throwIfAborted()
    const text = readFileSync(child.logFile, 'utf8')
    if (ready.test(text)) return
    if (child.hasEnded() || waitedMs >= timeoutMs) {
      const what = child.hasEnded() ? 'ended while starting' : `was not ready after ${timeoutMs / 1000} s`
      throw new WinnowError('UNREACHABLE', `${child.name} ${what}:\n${endOf(text)}`, {
        hint: `Its full log: ${child.logFile}`,
      })
    }
    await sleep(50)
  }
}
