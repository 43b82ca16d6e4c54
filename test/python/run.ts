// A part of `npm test`: the tests of the Python packages, counted as vitest counts its own. Takes files or folders of them; default: all.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Counts, countsOf } from './counts.ts'
import { findPython, preparePython } from './environment.ts'

const root = join(import.meta.dirname, '../..')
const folders = ['test/services/trainer/python', 'test/services/influence/torch']
const none: Counts = { passed: 0, failed: 0, skipped: 0 }
const say = (line: string) => process.stdout.write(`${line}\n`)

const given = process.argv.slice(2)
const chosen = given.filter((path) => path.endsWith('.py') || (existsSync(path) && statSync(path).isDirectory()))
report(given.length > 0 && chosen.length === 0 ? none : await tested(chosen.length > 0 ? chosen : folders))

/** Runs them, or says why not. */
async function tested(paths: readonly string[]): Promise<Counts> {
  const { WINNOW_TEST_PYTHON: wanted, WINNOW_PYTHON: named } = process.env
  if (wanted === 'no') return left('WINNOW_TEST_PYTHON=no', false)
  const interpreter = named === undefined ? findPython(process.env) : { python: named, version: '' }
  if (interpreter === undefined) return left('there is no Python 3.11 or later with venv', wanted === 'required')
  try {
    return pytest(named ?? preparePython(interpreter, process.env, say), paths)
  } catch (error) {
    say(`!! ${(error as Error).message}`)
    return { ...none, failed: 1 }
  }
}

/** Not run: a skip that is seen, or a failure where they have to be. */
function left(why: string, fails: boolean): Counts {
  say(`${fails ? '!!' : '↓'} the tests of the Python packages are not run: ${why}`)
  return fails ? { ...none, failed: 1 } : { ...none, skipped: 1 }
}

function pytest(python: string, paths: readonly string[]): Counts {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-pytest-'))
  try {
    const junit = join(folder, 'junit.xml')
    const args = ['-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider', `--junitxml=${junit}`, ...paths]
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' }
    const { status } = spawnSync(python, args, { cwd: root, env, stdio: 'inherit' })
    const counts = existsSync(junit) ? countsOf(readFileSync(junit, 'utf8')) : none
    // Failed outside of any test.
    return status === 0 || counts.failed > 0 ? counts : { ...counts, failed: 1 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** As vitest's JSON reporter would (test/parts/run-parts.ts). */
function report({ passed, failed, skipped }: Counts): void {
  const reports = process.env.WINNOW_TEST_REPORTS
  const json = { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped, numTodoTests: 0 }
  if (reports !== undefined)
    writeFileSync(
      join(reports, `${process.pid}.json`),
      JSON.stringify({ success: failed === 0, ...json, testResults: [] }),
    )
  process.exitCode = failed > 0 ? 1 : 0
}
