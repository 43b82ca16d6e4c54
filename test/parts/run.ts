import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Part, type PartResult, runParts } from './run-parts.ts'

/**
 * `npm test [-- WHAT VITEST TAKES]`: the tests of Python, unit, integration and fault tests, all of them also where some fail; ends with 1 where any
 * failed. Vitests run side by side, since each waits for its servers, timers and timeouts for a part of its time. The fault tests have a vitest
 * and a cluster of their own: what they kill and stop is nobody else's, and chDB opens one folder in a process.
 */
const vitest = join(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
const given = process.argv.slice(2)
const all = given.length === 0
// First: it makes the environment of Python that tests of the others use.
const python = { name: 'python', args: [join(import.meta.dirname, '../python/run.ts'), ...given] }
const by = (project: string, own: readonly string[] = [], name = project): Part => ({
  name,
  // Whoever names files seldom names some of each part.
  args: [vitest, 'run', '--project', project, ...own, ...(all ? [] : ['--passWithNoTests', ...given])],
})
/** Integration tests of what somebody does first. They go into the other lane, with a cluster of their own, so that both lanes take as long. */
const firstSteps = ['dev', 'documented-demo', 'newcomer'].map((name) => `test/integration/${name}.test.ts`)
const others = firstSteps.map((file) => `--exclude=${file}`)
/** Unit tests of what computes alone: they use no Python, so they run while its environment is made. */
const pure = ['schemas', 'simulation', 'topologies'].map((folder) => `test/${folder}/`)
const impure = pure.map((folder) => `--exclude=${folder}**`)
const stages: Part[][][] = [
  [[python], ...(all ? [[by('unit', pure, 'pure')]] : [])],
  [
    [by('unit', all ? impure : []), by('faults'), ...(all ? [by('integration', firstSteps, 'first steps')] : [])],
    [by('integration', all ? others : [])],
  ],
]
const own = process.env.WINNOW_TEST_REPORTS === undefined
const reports = process.env.WINNOW_TEST_REPORTS ?? mkdtempSync(join(tmpdir(), 'winnow-test-reports-'))
const results: PartResult[] = []
for (const lanes of stages) {
  const ended = await runParts(lanes, reports)
  results.push(...ended)
  if (ended.length < lanes.flat().length) break
}
if (own) rmSync(reports, { recursive: true, force: true })
for (const { name } of stages.flat(2)) {
  const result = results.find((result) => result.name === name)
  const text = result === undefined ? 'not run' : `${result.passed} passed, ${result.failed} failed`
  process.stdout.write(`${name}: ${text}\n`)
}
process.exitCode = results.length === stages.flat(2).length && results.every(({ code }) => code === 0) ? 0 : 1
