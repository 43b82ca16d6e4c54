import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../..')
const files = globSync('{services,topologies,deploy}/**/*.ts', { cwd: root })
const statement = /`[^`]*\b(?:SELECT|INSERT INTO|ALTER TABLE|DELETE FROM|CREATE|DROP|WHERE)\b[^`]*`/g

/** Statements of a source; what they embed is cut at the first template within. */
const statementsIn = (source: string) => source.match(statement) ?? []

test('values reach ClickHouse as parameters: no statement contains one in quotes', () => {
  const quoted = /['"]\$\{|\}['"]/
  const all = files.flatMap((file) =>
    statementsIn(readFileSync(join(root, file), 'utf8')).map((sql) => ({ file, sql })),
  )
  expect(all.length).toBeGreaterThan(15)
  // Column and table names come from plain names (topologies/run-config.ts); everything else is {name:Type}.
  expect(all.filter(({ sql }) => quoted.test(sql.replaceAll(/\{\w+:\w+(?:\([^}]*\))?\}/g, '')))).toEqual([])
  expect(all.some(({ sql }) => /\{\w+:UInt64\}/.test(sql))).toBe(true)
})
