import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { findPython, preparePython } from '../python/environment.ts'
import { type Mutant, mutants, suite } from './mutants.ts'
import { pythonMutants } from './python.ts'

/**
 * `npm run test:mutants [-- WORD ...]`: runs the tests on copies of the tree with one deliberate mistake each, those whose name has one of the
 * words, or all. Shows which test killed which; ends with 1 where one survives, does not apply, or the tests fail without any.
 */
const root = join(import.meta.dirname, '../..')

interface Outcome {
  readonly failed: readonly string[]
  readonly seconds: number
}

function copyOfTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'winnow-mutants-'))
  const { stdout } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  for (const file of stdout.toString().split('\0')) {
    if (file === '') continue
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    cpSync(join(root, file), join(copy, file))
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** @throws Error where the tests did not run at all */
async function failures(folder: string, tests: readonly string[]): Promise<Outcome> {
  const python = tests.filter((path) => path.endsWith('.py'))
  const rest = tests.filter((path) => !path.endsWith('.py'))
  const outcomes = [
    ...(rest.length > 0 ? [await vitestFailures(folder, rest)] : []),
    ...(python.length > 0 ? [pytestFailures(folder, python)] : []),
  ]
  return {
    failed: outcomes.flatMap(({ failed }) => failed),
    seconds: outcomes.reduce((sum, { seconds }) => sum + seconds, 0),
  }
}

function pytestFailures(folder: string, tests: readonly string[]): Outcome {
  const started = performance.now()
  const args = ['-B', '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', '--tb=no', ...tests]
  const { status, stdout, stderr } = spawnSync(pythonOfTests(), args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 300_000,
  })
  // 0: all passed, 1: some failed, 2: a file that did not load; null: it did not end.
  if (status !== 0 && status !== 1 && status !== 2 && status !== null)
    throw new Error(`the tests did not run:\n${stdout}${stderr}`)
  const named = [...stdout.matchAll(/^(?:FAILED|ERROR) (\S+)/gm)].map(([, name]) => name!)
  const failed = status === 0 ? [] : named.length > 0 ? named : [`${tests.join(' ')} did not end`]
  return { failed, seconds: (performance.now() - started) / 1000 }
}

function pythonOfTests(): string {
  const interpreter = findPython(process.env)
  const python = process.env.WINNOW_PYTHON ?? (interpreter && preparePython(interpreter, process.env, console.log))
  if (python === undefined) throw new Error('there is no Python 3.11 or later with venv: name those to run, -- WORD')
  return python
}

/** @throws Error where the tests did not run at all */
async function vitestFailures(folder: string, tests: readonly string[]): Promise<Outcome> {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const started = performance.now()
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const given = ['run', '--project', 'unit', '--bail', '1', '--reporter=json', `--outputFile=${report}`, ...tests]
  const child = spawn(process.execPath, [vitest, ...given], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (text) => (stderr = `${stderr}${text}`.slice(-4000)))
  await new Promise((resolve) => child.once('exit', resolve))
  const seconds = (performance.now() - started) / 1000
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
      testResults: { message: string; assertionResults: { status: string; fullName: string }[] }[]
    }
    const failed = testResults.flatMap(({ message, assertionResults }) => {
      const names = assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName)
      return names.length === 0 && message !== '' ? [message] : names
    })
    return { failed, seconds }
  } catch {
    throw new Error(`the tests did not run:\n${stderr}`)
  }
}

async function judge(copy: string, { file, find, replace, tests }: Mutant): Promise<Outcome | 'does not apply'> {
  const path = join(copy, file)
  const source = readFileSync(path, 'utf8')
  if (source.split(find).length !== 2) return 'does not apply'
  writeFileSync(
    path,
    source.replace(find, () => replace),
  )
  try {
    return await failures(copy, tests ?? suite)
  } finally {
    writeFileSync(path, source)
  }
}

const words = process.argv.slice(2)
const chosen = [...mutants, ...pythonMutants].filter(
  ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
)
const copy = copyOfTree()
try {
  const { failed } = await failures(copy, [...new Set(chosen.flatMap(({ tests }) => tests ?? suite))])
  if (failed.length > 0) throw new Error(`without any mutant these fail: ${failed.join('; ')}`)
  let bad = 0
  for (const mutant of chosen) {
    const outcome = await judge(copy, mutant)
    const killed = outcome !== 'does not apply' && outcome.failed.length > 0
    if (!killed) bad++
    console.log(`${killed ? 'killed  ' : outcome === 'does not apply' ? 'NO MATCH' : 'SURVIVED'}  ${mutant.name}`)
    if (killed) console.log(`          by ${outcome.failed[0]} (${outcome.seconds.toFixed(1)} s)`)
  }
  console.log(`${chosen.length - bad} of ${chosen.length} mutants killed`)
  process.exitCode = bad === 0 ? 0 : 1
} finally {
  rmSync(copy, { recursive: true, force: true })
}
