import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const lines = readFileSync(join(root, 'docs/GUARANTEES.md'), 'utf8').split('\n')
const citation = /^ {2}- `(test\/[^`]+)` › (.+)$/

const cited = lines.flatMap((line) => {
  const match = citation.exec(line)
  return match === null ? [] : [{ file: match[1]!, name: match[2]! }]
})

/** Names of a file's tests, as they are written: `%s` and `${}` stay. */
const namesIn = (file: string): string[] => {
  const source = readFileSync(join(root, file), 'utf8')
  if (file.endsWith('.py')) return [...source.matchAll(/^def (test_\w+)\(/gm)].map(([, name]) => name!)
  return [...source.matchAll(/\btest(?:\.\w+(?:\([^)]*\))*)*\(\s*(['"`])(.+?)(?<!\\)\1/g)].map(([, , name]) => name!)
}

test.each(cited)('$file has the test: $name', ({ file, name }) => {
  expect(existsSync(join(root, file)), `${file} is not there`).toBe(true)
  expect(namesIn(file)).toContain(name)
})

test('every guarantee says MUST and names a test', () => {
  const end = lines.findIndex((line) => line.startsWith('## What happens when, by station'))
  const guarantees = lines
    .slice(0, end)
    .flatMap((line, i) => (line.startsWith('- ') ? [{ line, next: lines[i + 1]! }] : []))
  expect(guarantees.length).toBeGreaterThan(20)
  for (const { line, next } of guarantees) {
    expect(line).toContain('MUST')
    expect(next, `after: ${line}`).toMatch(citation)
  }
})
