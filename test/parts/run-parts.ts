import { type ChildProcess, spawn } from 'node:child_process'
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
function printLines(from: Readable, to: NodeJS.WritableStream, name: string): Promise<void> {
  const lines = createInterface({ input: from, crlfDelay: Number.POSITIVE_INFINITY })
  lines.on('line', (line) => to.write(`${name} | ${line}\n`))
  return new Promise((resolve) => lines.once('close', resolve))
}

/** Until all is printed. What outlives a part that was killed may hold its pipes, and nobody waits for that. */
const printedMsMax = 2_000

/**
 * Runs all parts, also after one that failed: the lanes side by side, the parts of a lane one after the other, with their output on ours. Afterwards
 * the JSON reports in `reports` together count every failure: what a report leaves out is added as `${pid}.json`, or as a report beside it.
 * An interrupt ends the parts that run and those after them.
 * @returns in the order in which they ended
 */
export async function runParts(lanes: readonly (readonly Part[])[], reports: string): Promise<PartResult[]> {
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
    const printed = alone
      ? []
      : [printLines(child.stdout!, process.stdout, name), printLines(child.stderr!, process.stderr, name)]
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
