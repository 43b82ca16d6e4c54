import { exitCodes, WinnowError } from './errors.ts'
import { firstFailure } from './service.ts'
import { systemFailure } from './system-failure.ts'
import { within } from './within.ts'

/** What `runUntilSignal` needs of the process, so that tests can replace it. */
export interface ProcessLike {
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown
  off(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown
  exit(code: number): unknown
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean }
  readonly env: NodeJS.ProcessEnv
}

/**
 * One Ctrl-C may arrive twice: the terminal signals the whole process group, and a launcher in between (npm, an older Node) forwards its own
 * copy. A second signal this soon counts as the same one.
 */
const sameInterruptMs = 300

/**
 * How long shutdown may take before what hangs is abandoned: service managers kill after 30 s, some after 20. Nothing is lost, since work in
 * progress is redone as after a kill; child processes end with this process.
 */
const endMsMax = 14_000
const leftHanging = `winnow: something does not answer, so this ends without it. Unfinished work is done again at the next start; 'winnow doctor' names what hangs.\n`

/**
 * Aborts `signal` with the first SIGINT or SIGTERM, after `onFirst`. A second one exits at once with 130, and so does a shutdown that takes
 * longer than `endMs`. Disposing it removes the signal handlers.
 */
export function interruptible(
  host: ProcessLike = process,
  onFirst: () => void = () => {},
  endMs = endMsMax,
): Disposable & { readonly signal: AbortSignal } {
  const interrupted = new AbortController()
  let again = false
  let late: NodeJS.Timeout | undefined
  const onSignal = () => {
    if (again) host.exit(exitCodes.interrupted)
    if (interrupted.signal.aborted) return
    setTimeout(() => {
      again = true
    }, sameInterruptMs).unref()
    late = setTimeout(() => {
      host.stderr.write(leftHanging)
      host.exit(exitCodes.interrupted)
    }, endMs).unref()
    onFirst()
    interrupted.abort()
  }
  host.on('SIGINT', onSignal)
  host.on('SIGTERM', onSignal)
  return {
    signal: interrupted.signal,
    [Symbol.dispose]: () => {
      clearTimeout(late)
      host.off('SIGINT', onSignal)
      host.off('SIGTERM', onSignal)
    },
  }
}

/** How a service ends itself when it fails after it has started. */
export type Fail = (error: unknown) => void

/**
 * Runs a service until SIGINT or SIGTERM, then closes what was started, last first; a second signal exits at once with 130. `start` adds what
 * it starts to a stack, which is closed too if it fails. It gets a signal that aborts with the first SIGINT or SIGTERM, for a start that takes
 * long; `fail` for failures after the start, which are printed and close everything as well; and `finish` for a service that is done, which
 * ends it likewise. What does not close within `endMs` is abandoned.
 * @returns the exit code: 0 after a signal or `finish`, else that of the error
 */
export async function runUntilSignal(
  start: (started: AsyncDisposableStack, signal: AbortSignal, fail: Fail, finish: () => void) => Promise<void>,
  host: ProcessLike = process,
  endMs = endMsMax,
): Promise<number> {
  let failure: { error: unknown } | undefined
  let end: () => void = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const fail: Fail = (error) => {
    // Only the first failure is printed; later ones follow from it.
    failure ??= { error }
    end()
  }
  // Shutdown is bounded below, and by this if the start ignores the signal.
  using interrupted = interruptible(host, () => end(), endMs + 2000)
  const { signal } = interrupted
  const started = new AsyncDisposableStack()
  try {
    await start(started, signal, fail, () => end())
    await ended
  } catch (error) {
    // A start that was told to stop may do so by throwing.
    if (!signal.aborted) fail(error)
  }
  let hangs = false
  await within(endMs, started.disposeAsync(), () => {
    hangs = true
    return new Error('late')
  }).catch((error: unknown) => hangs || fail(error))
  if (failure !== undefined) printError(failure.error, host)
  const code = failure === undefined ? 0 : exitCodeOf(failure.error)
  if (hangs) {
    host.stderr.write(leftHanging)
    // Whatever hangs would keep the process alive.
    host.exit(code)
  }
  return code
}

const known = (error: unknown): WinnowError | undefined => (error instanceof WinnowError ? error : systemFailure(error))

export const exitCodeOf = (failure: unknown): number => known(firstFailure(failure))?.exitCode ?? exitCodes.unexpected

/** Red on a terminal, unless NO_COLOR is set. */
export const colored = (line: string, { stderr, env }: Pick<ProcessLike, 'stderr' | 'env'>): string =>
  stderr.isTTY === true && (env.NO_COLOR ?? '') === '' ? `\u001b[31m${line}\u001b[39m` : line

/**
 * One line on stderr that says what happened and what to do about it. Any error other than a WinnowError or a system error is a bug, so its
 * stack follows.
 */
export function printError(failure: unknown, { stderr, env }: Pick<ProcessLike, 'stderr' | 'env'> = process): void {
  const error = firstFailure(failure)
  const own = known(error)
  const message = error instanceof Error ? error.message : String(error)
  const text = own
    ? // A hint may end with a command or a path, which a full stop would make another one.
      [sentence(`${own.code}: ${own.message}`), own.hint].filter((part) => part !== undefined).join(' ')
    : `UNEXPECTED: ${message}`
  const line = `winnow: ${text.replaceAll(/\s*\n\s*/g, ' ')}`
  stderr.write(`${colored(line, { stderr, env })}\n`)
  if (own === undefined && error instanceof Error && error.stack !== undefined) stderr.write(`${error.stack}\n`)
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)
