import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { countsOf } from '../python/counts.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-python-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The part of `npm test`, where PATH has nothing but `programs`; what it printed, and the report that it left. */
function part(env: Record<string, string>, programs: Readonly<Record<string, string>> = {}, ...given: string[]) {
  const [path, reports, cache] = [0, 1, 2].map(() => mkdtempSync(join(folder, 'x-')))
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(path!, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(path!, name), 0o755)
  }
  const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, '../python/run.ts'), ...given], {
    encoding: 'utf8',
    env: { PATH: path!, WINNOW_TEST_REPORTS: reports!, WINNOW_CACHE: cache!, ...env },
  })
  const [report] = readdirSync(reports!).map((name) => JSON.parse(readFileSync(join(reports!, name), 'utf8')))
  return { status, stdout, report, cached: readdirSync(cache!) }
}

test('without a Python the tests of Python are one skip that is seen, and a failure where they are required', () => {
  const skipped = part({})
  expect(skipped).toMatchObject({ status: 0, report: { numPassedTests: 0, numFailedTests: 0, numPendingTests: 1 } })
  expect(skipped.stdout).toContain('are not run: there is no Python 3.11 or later')
  const tooOld = { python3: 'echo "3.10.9 cpython-310"' }
  expect(part({ WINNOW_TEST_PYTHON: 'required' }, tooOld)).toMatchObject({
    status: 1,
    report: { numFailedTests: 1, numPendingTests: 0 },
  })
})

test('an index that cannot be reached is a failure that says so, and leaves nothing half installed', () => {
  const python3 = `case "$2" in venv) /bin/mkdir -p "$3/bin"; printf '#!/bin/sh\\necho no route to host >&2; exit 1' > "$3/bin/python"; /bin/chmod +x "$3/bin/python";; *) echo "3.12.0 cpython-312";; esac`
  const { status, stdout, report, cached } = part({}, { python3 })
  expect(stdout).toContain('no route to host')
  expect(stdout).toContain('Can the package index be reached')
  expect({ status, report, cached }).toMatchObject({ status: 1, report: { numFailedTests: 1 }, cached: [] })
})

test('what pytest passed, failed and skipped is counted, and a pytest that ended otherwise is a failure', () => {
  const suite = '<testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="0.1">'
  expect(countsOf(`<?xml version="1.0"?><testsuites>${suite}</testsuite></testsuites>`)).toEqual({
    passed: 4,
    failed: 3,
    skipped: 3,
  })
  const python = join(folder, 'python')
  writeFileSync(python, '#!/bin/sh\nexit 2\n')
  chmodSync(python, 0o755)
  expect(part({ WINNOW_PYTHON: python })).toMatchObject({ status: 1, report: { numFailedTests: 1 } })
})

test('who names files of TypeScript runs none of Python', () => {
  expect(part({}, {}, 'test/parts/parts.test.ts')).toMatchObject({ status: 0, report: { numPendingTests: 0 } })
})
