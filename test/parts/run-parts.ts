import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

/** A part of the tests: one vitest, which writes the report `${pid}.json` into the folder WINNOW_TEST_REPORTS (vitest.config.ts). */
export interface Part {
  readonly name: string
  /** Arguments of Node: the script and what it is given. */
  readonly args: readonly string[]
}

/** What of vitest's JSON report is read. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly { status: string }[] }[]
}

export interface PartResult {
  readonly name: string
  readonly passed: number
  readonly failed: number
  /** Exit status of the part; a signal counts as 128 and its number, as in a shell. */
  readonly code: number
}

/**
 * Failures that a report does not count among its tests: files that did not load, and a vitest that crashed or met an error outside of any test
 * (it ends with another code than 0 and no test failed).
 */
export function failuresOutsideTests(report: Report | undefined, code: number): number {
  const unloaded = (report?.testResults ?? []).filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some(({ status }) => status === 'failed'),
  ).length
  const seen = unloaded + (report?.numFailedTests ?? 0)
  return seen === 0 && code !== 0 ? 1 : unloaded
}

function readReport(file: string): Report | undefined {
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    // Torn by a crash: as good as none.
    return undefined
  }
}

/** Lines of a part that runs beside others begin with its name: who reads them would not know whose they are. */
function printLines(from: Readable, to: NodeJS.WritableStream, name: string, onLine: () => void): Promise<void> {
  const lines = createInterface({ input: from, crlfDelay: Number.POSITIVE_INFINITY })
  lines.on('line', (line) => {
    onLine()
    to.write(`${name} | ${line}\n`)
  })
  return new Promise((resolve) => lines.once('close', resolve))
}

/** No test's time limit is as long (vitest.config.ts). */
const silentMsMaxDefault = 600_000 * Number(process.env.WINNOW_TEST_PATIENCE ?? 1)

/** The processes below one, children before theirs. */
function processesBelow(pid: number): number[] {
  const all = execFileSync('ps', ['-A', '-o', 'ppid=,pid='], { encoding: 'utf8' })
  const pairs = all
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const below = [pid]
  for (const one of below) below.push(...pairs.flatMap(([parent, child]) => (parent === one ? [child!] : [])))
  return below.slice(1)
}

/**
 * Ends what a test does that computes without end, which no time limit of Vitest's can: a part that says nothing for long loses its workers, of
 * which Vitest says whose tests they ran; and if it still says nothing, its own process.
 * @returns to be called at each sign of life, and disposed of when the part has ended
 */
function watchOver(child: ChildProcess, name: string, silentMsMax: number) {
  let heard = performance.now()
  let silences = 0
  const watch = setInterval(
    () => {
      if (performance.now() - heard < silentMsMax) return
      heard = performance.now()
      const below = processesBelow(child.pid!)
      const killed = silences++ === 0 && below.length > 0 ? below : [...below, child.pid!]
      process.stderr.write(
        `${name} | nothing was said for ${silentMsMax / 1000} s: killed ${killed.length} processes\n`,
      )
      for (const pid of killed)
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // It has ended meanwhile.
        }
    },
    Math.min(1000, silentMsMax),
  )
  return {
    hear: () => {
      heard = performance.now()
    },
    [Symbol.dispose]: () => clearInterval(watch),
  }
}

/** Until all is printed. What outlives a part that was killed may hold its pipes, and nobody waits for that. */
const printedMsMax = 2_000

/**
 * Runs all parts, also after one that failed: the lanes side by side, the parts of a lane one after the other, with their output on ours. Afterwards
 * the JSON reports in `reports` together count every failure: what a report leaves out is added as `${pid}.json`, or as a report beside it.
 * An interrupt ends the parts that run and those after them.
 * @param silentMsMax a part beside others that prints nothing for as long is cut short, and fails
 * @returns in the order in which they ended
 */
export async function runParts(
  lanes: readonly (readonly Part[])[],
  reports: string,
  silentMsMax = silentMsMaxDefault,
): Promise<PartResult[]> {
  mkdirSync(reports, { recursive: true })
  const results: PartResult[] = []
  let interrupted = false
  const running = new Set<ChildProcess>()
  // A terminal's Ctrl-C reaches the parts as well.
  const interrupt = () => {
    interrupted = true
  }
  const end = (signal: NodeJS.Signals) => {
    interrupted = true
    for (const child of running) child.kill(signal)
  }
  process.on('SIGINT', interrupt).on('SIGTERM', end)

  async function runPart({ name, args }: Part): Promise<void> {
    const alone = lanes.length === 1
    const child = spawn(process.execPath, args, {
      stdio: alone ? 'inherit' : ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, WINNOW_TEST_REPORTS: reports },
    })
    running.add(child)
    // Who sits before a terminal sees it, and has Ctrl-C.
    using watch = alone ? undefined : watchOver(child, name, silentMsMax)
    const hear = () => watch?.hear()
    const printed = alone
      ? []
      : [printLines(child.stdout!, process.stdout, name, hear), printLines(child.stderr!, process.stderr, name, hear)]
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]))
    })
    running.delete(child)
    await Promise.race([Promise.all(printed), delay(printedMsMax, undefined, { ref: false })])
    child.stdout?.destroy()
    child.stderr?.destroy()
    const report = readReport(join(reports, `${child.pid}.json`))
    const outside = failuresOutsideTests(report, code)
    if (outside > 0) {
      const file = join(reports, report === undefined ? `${child.pid}.json` : `${child.pid}-outside-tests.json`)
      const counts = { numPassedTests: 0, numFailedTests: outside, numPendingTests: 0, numTodoTests: 0 }
      writeFileSync(file, JSON.stringify({ success: false, ...counts, testResults: [] }))
    }
    results.push({ name, passed: report?.numPassedTests ?? 0, failed: (report?.numFailedTests ?? 0) + outside, code })
  }

  try {
    await Promise.all(
      lanes.map(async (parts) => {
        for (const part of parts) if (!interrupted) await runPart(part)
      }),
    )
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', end)
  }
  return results
}
