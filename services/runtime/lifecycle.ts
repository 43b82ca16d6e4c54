import { exitCodes, WinnowError } from './errors.ts'
import { firstFailure } from './service.ts'
import { systemFailure } from './system-failure.ts'
import { within } from './within.ts'

/** What `runUntilSignal` needs of the process, so that tests can stand in for it. */
export interface ProcessLike {
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown
  off(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown
  exit(code: number): unknown
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean }
  readonly env: NodeJS.ProcessEnv
}

/**
 * One Ctrl-C may arrive twice: the terminal signals the whole process group, and a launcher between (npm, an older Node) hands its own copy
 * on. What comes so soon after the first is the same.
 */
const sameInterruptMs = 300

/**
 * How long an end may take before what hangs is left as it is: service managers kill after 30 s, some after 20. Nothing is lost by it,
 * since whatever was in hand is done again, as after a kill; programs that were started here end with this process.
 */
const endMsMax = 14_000
const leftHanging = `winnow: something does not answer, so this ends without it. What was in hand is done again at the next start; 'winnow doctor' names what hangs.\n`

/**
 * Aborts `signal` with the first SIGINT or SIGTERM, after `onFirst`; a second one ends the process at once with 130, and so does an end
 * that takes longer than `endMs`. Disposing it gives the signals back.
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

/** How a service ends itself when it fails after its start. */
export type Fail = (error: unknown) => void

/**
 * Runs a service until SIGINT or SIGTERM, then closes what was started, last first; a second signal ends the process at once with 130.
 * `start` adds what it starts to a stack, which is closed too where it fails. It is given a signal that aborts with the first of them, for
 * a start that takes long, `fail` for failures after the start: they close everything as well, and are printed; and `finish` for a service
 * that has done all it had to do, which ends it likewise.
 * What does not close within `endMs` is left.
 * @returns the exit code: 0 after a signal or where it has finished, else that of the error
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
    // The first failure is the cause, what follows from it is not worth a line.
    failure ??= { error }
    end()
  }
  // The end is bounded below, and by this where the start does not heed the signal.
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
    // Whatever hangs would keep the process.
    host.exit(code)
  }
  return code
}

const known = (error: unknown): WinnowError | undefined => (error instanceof WinnowError ? error : systemFailure(error))

export const exitCodeOf = (failure: unknown): number => known(firstFailure(failure))?.exitCode ?? exitCodes.unexpected

/** Red where a person looks at it and NO_COLOR is not set. */
export const colored = (line: string, { stderr, env }: Pick<ProcessLike, 'stderr' | 'env'>): string =>
  stderr.isTTY === true && (env.NO_COLOR ?? '') === '' ? `\u001b[31m${line}\u001b[39m` : line

/**
 * One line on stderr that says what happened and what to do about it.
 * An error that is none of ours is a bug: then its stack follows.
 */
export function printError(failure: unknown, { stderr, env }: Pick<ProcessLike, 'stderr' | 'env'> = process): void {
  const error = firstFailure(failure)
  const own = known(error)
  const message = error instanceof Error ? error.message : String(error)
  const text = own
    ? [`${own.code}: ${own.message}`, own.hint]
        .filter((part) => part !== undefined)
        .map((part) => (/[.!?]$/.test(part) ? part : `${part}.`))
        .join(' ')
    : `UNEXPECTED: ${message}`
  const line = `winnow: ${text.replaceAll(/\s*\n\s*/g, ' ')}`
  stderr.write(`${colored(line, { stderr, env })}\n`)
  if (own === undefined && error instanceof Error && error.stack !== undefined) stderr.write(`${error.stack}\n`)
}
