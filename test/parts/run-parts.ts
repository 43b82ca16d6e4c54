import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'

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

/**
 * Runs all parts one after the other, also after one that failed, with their output on ours. Afterwards the JSON reports in `reports` together
 * count every failure: what a report leaves out is added as `${pid}.json`, or as a report beside it. An interrupt ends the part that runs and
 * those after it.
 */
export async function runParts(parts: readonly Part[], reports: string): Promise<PartResult[]> {
  mkdirSync(reports, { recursive: true })
  const results: PartResult[] = []
  let interrupted: NodeJS.Signals | undefined
  // A terminal's Ctrl-C reaches the part as well.
  const interrupt = (signal: NodeJS.Signals) => {
    interrupted = signal
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  try {
    for (const { name, args } of parts) {
      if (interrupted !== undefined) break
      const child = spawn(process.execPath, args, {
        stdio: 'inherit',
        env: { ...process.env, WINNOW_TEST_REPORTS: reports },
      })
      const forward = (signal: NodeJS.Signals) => child.kill(signal)
      process.on('SIGTERM', forward)
      const code = await new Promise<number>((resolve, reject) => {
        child.once('error', reject)
        child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]))
      })
      process.off('SIGTERM', forward)
      const report = readReport(join(reports, `${child.pid}.json`))
      const outside = failuresOutsideTests(report, code)
      if (outside > 0) {
        const file = join(reports, report === undefined ? `${child.pid}.json` : `${child.pid}-outside-tests.json`)
        const counts = { numPassedTests: 0, numFailedTests: outside, numPendingTests: 0, numTodoTests: 0 }
        writeFileSync(file, JSON.stringify({ success: false, ...counts, testResults: [] }))
      }
      results.push({
        name,
        passed: report?.numPassedTests ?? 0,
        failed: (report?.numFailedTests ?? 0) + outside,
        code,
      })
    }
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
  return results
}
