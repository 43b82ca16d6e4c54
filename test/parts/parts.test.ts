import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { failuresOutsideTests, runParts } from './run-parts.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-parts-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const modules = join(import.meta.dirname, '../../node_modules')

/** A vitest over one file, which reports as vitest.config.ts says. */
function part(name: string, source: string) {
  const root = join(folder, name)
  mkdirSync(root)
  writeFileSync(join(root, 'a.test.mjs'), `import { expect, test } from '${modules}/vitest/dist/index.js'\n${source}`)
  const config = join(root, 'vitest.config.mjs')
  writeFileSync(
    config,
    `export default { root: ${JSON.stringify(root)}, test: { include: ['*.test.mjs'], reporters: ['default', 'json'],
      outputFile: { json: \`\${process.env.WINNOW_TEST_REPORTS}/\${process.pid}.json\` } } }`,
  )
  return { name, args: [join(modules, 'vitest/vitest.mjs'), 'run', '--config', config] }
}

test('all parts run, and every failure is counted, whether a test failed or a process crashed', async () => {
  const reports = join(folder, 'reports')
  const results = await runParts(
    [
      [
        part('red', "test('a', () => {})\ntest('b', () => expect(1).toBe(2))\ntest.skip('c', () => {})"),
        part('unloaded', "import './nowhere.mjs'\ntest('a', () => {})"),
      ],
      [
        part('unhandled', "test('a', () => void Promise.reject(new Error('nobody waits for this')))"),
        { name: 'crashed', args: ['-e', 'process.kill(process.pid, "SIGKILL")'] },
        part('green', "test('a', () => {})"),
      ],
    ],
    reports,
  )
  const order = ['red', 'unloaded', 'unhandled', 'crashed', 'green']
  expect(results.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name))).toEqual([
    { name: 'red', passed: 1, failed: 1, code: 1 },
    { name: 'unloaded', passed: 0, failed: 1, code: 1 },
    { name: 'unhandled', passed: 1, failed: 1, code: 1 },
    { name: 'crashed', passed: 0, failed: 1, code: 137 },
    { name: 'green', passed: 1, failed: 0, code: 0 },
  ])
  const sum = { passed: 0, failed: 0, skipped: 0 }
  for (const file of readdirSync(reports)) {
    const report = JSON.parse(readFileSync(join(reports, file), 'utf8'))
    sum.passed += report.numPassedTests
    sum.failed += report.numFailedTests
    sum.skipped += report.numPendingTests + report.numTodoTests
  }
  expect(sum).toEqual({ passed: 3, failed: 4, skipped: 1 })
}, 120_000)

test('the lines of lanes say whose they are, and a pipe that a killed part left open holds up nobody', async () => {
  const script = join(import.meta.dirname, 'run-parts.ts')
  const holds =
    "require('child_process').spawn('sleep', ['8'], { stdio: 'inherit' }).unref(); console.log('said'); setTimeout(() => process.exit(3), 300)"
  const lanes = ['a', 'b'].map((name) => [{ name, args: ['-e', holds] }])
  const source = `import { runParts } from ${JSON.stringify(script)}
    const results = await runParts(${JSON.stringify(lanes)}, ${JSON.stringify(join(folder, 'held'))})
    console.log(results.map(({ name, code }) => name + code).toSorted().join())`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', source])
  expect(stdout.trim().split('\n').toSorted()).toEqual(['a | said', 'a3,b3', 'b | said'])
}, 30_000)

test('a test that computes without end is cut short, and its file is named; so is a part that does not even run tests', async () => {
  const script = join(import.meta.dirname, 'run-parts.ts')
  const spins = part('spins', "test('a', () => { for (;;); })")
  const lanes = [[spins, { name: 'silent', args: ['-e', 'for (;;);'] }], [part('beside', "test('a', () => {})")]]
  const source = `import { runParts } from ${JSON.stringify(script)}
    const results = await runParts(${JSON.stringify(lanes)}, ${JSON.stringify(join(folder, 'cut'))}, 8000)
    console.log(JSON.stringify(results.toSorted((a, b) => a.name < b.name ? -1 : 1)))`
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', source])
  expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toEqual([
    { name: 'beside', passed: 1, failed: 0, code: 0 },
    { name: 'silent', passed: 0, failed: 1, code: 137 },
    { name: 'spins', passed: 0, failed: 1, code: 1 },
  ])
  expect(stderr).toMatch(/spins \| nothing was said for 8 s: killed \d+ process/)
  expect(stdout + stderr).toContain('spins/a.test.mjs')
}, 120_000)

test('a file that failed to load is counted in addition to failed tests', () => {
  const failed = { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] }
  const unloaded = { status: 'failed', assertionResults: [] }
  const report = { numPassedTests: 1, numFailedTests: 1, testResults: [failed, unloaded] }
  expect(failuresOutsideTests(report, 1)).toBe(1)
  expect(failuresOutsideTests({ ...report, testResults: [failed] }, 1)).toBe(0)
  expect(failuresOutsideTests(undefined, 0)).toBe(0)
})
