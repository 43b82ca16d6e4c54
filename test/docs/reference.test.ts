import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Manifest, Progress, runTopics, SelectionChunk, topics } from '../../schemas/index.ts'
import { ClickHouseStore } from '../../services/corpus/clickhouse-store.ts'
import { columnNames } from '../../services/corpus/columns.ts'
import { SortedStates } from '../../services/corpus/sorted/states.ts'
import { migrate } from '../../services/runtime/clickhouse/migrate.ts'
import type { Sql } from '../../services/runtime/clickhouse/sql.ts'
import { errorCodes } from '../../services/runtime/errors.ts'

const root = join(import.meta.dirname, '../..')
const page = (name: string): string => readFileSync(join(root, 'docs', name), 'utf8')
const squeezed = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

/** Statements that winnow sends, by a connection that has nothing. */
async function statementsOf(work: (sql: Sql) => Promise<unknown>): Promise<string[]> {
  const sent: string[] = []
  const sql = {
    command: async (statement: string) => void sent.push(statement),
    query: async (statement: string) => (/ count\(\) AS documents FROM/.test(statement) ? [{ documents: '0' }] : []),
    insert: async () => {},
  } as unknown as Sql
  await work(sql)
  return sent.map(squeezed)
}

/** Names and types of columns, each with its codec left out, and what follows them. */
function columnsIn(body: string): Map<string, string> {
  // A comma within parentheses belongs to a type.
  let depth = 0
  const parts = body.split(/(?=[(),])|(?<=[(),])/).reduce<string[]>(
    (all, piece) => {
      depth += piece === '(' ? 1 : piece === ')' ? -1 : 0
      if (piece === ',' && depth === 0) all.push('')
      else all[all.length - 1] += piece
      return all
    },
    [''],
  )
  return new Map(
    parts.map((part) => {
      const [, name, type] = /^(\S+) (.+?)(?: CODEC\(.*\))?(?: DEFAULT .*)?$/.exec(squeezed(part))!
      return [name!, type!]
    }),
  )
}

const made = (statement: string) => {
  const [, name, body, engine] =
    /^CREATE TABLE IF NOT EXISTS (\w+) \( ?(.*?) ?\) ENGINE = (.*?)(?: SETTINGS .*)?$/.exec(statement)!
  return { name: name!, columns: columnsIn(body!), engine: engine! }
}

/** What the page says of tables: the first table of columns under each heading with one name, and the engine before it. */
function told(markdown: string) {
  return markdown.split(/^#{2,3} /m).flatMap((section) => {
    const [, name] = /^`([a-zA-Z_]+)`\n/.exec(section) ?? []
    const rows = [...section.matchAll(/^\| `(\w+)` +\| `([^`]+)` +\|/gm)].filter(
      ([, column]) => !column!.endsWith('_VERSION'),
    )
    if (name === undefined || rows.length === 0) return []
    const engine = /`((?:\w*MergeTree)[^`]*)`/.exec(squeezed(section))![1]!
    return [{ name, columns: new Map(rows.map(([, column, type]) => [column!, type!])), engine }]
  })
}

test('docs/clickhouse.md has every table with its columns, their types, engine and key, and no others', async () => {
  const statements = await statementsOf((sql) => migrate(sql))
  const dropped = statements.flatMap((statement) => /^DROP TABLE IF EXISTS (\w+)\b/.exec(statement)?.[1] ?? [])
  const tables = statements
    .filter((statement) => statement.startsWith('CREATE TABLE'))
    .map(made)
    .filter(({ name }) => !dropped.includes(name))
  expect(tables.length).toBeGreaterThanOrEqual(7)
  const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name)
  expect(told(page('clickhouse.md')).toSorted(byName)).toEqual(tables.toSorted(byName))
})

test('docs/clickhouse.md has the columns that a labeler adds, and those of the table for draws', async () => {
  const text = page('clickhouse.md')
  const [added] = await statementsOf((sql) => new ClickHouseStore(sql).ensureColumns('ACTOR', 'VERSION'))
  const columns = [...added!.matchAll(/ADD COLUMN IF NOT EXISTS (\w+) (.+?)(?=, ADD|$)/g)].map(([, name, type]) => [
    name,
    type,
  ])
  expect(columns.map(([name]) => name)).toEqual(Object.values(columnNames({ actor: 'ACTOR', version: 'VERSION' })))
  const rows = [...text.matchAll(/^\| `(\w+_VERSION)` +\| `([^`]+)` +\|/gm)].map(([, name, type]) => [name, type])
  expect(rows).toEqual(columns)

  const asOf = {
    columns: [
      { actor: 'a', version: '1', topic: 't' },
      { actor: 'b', version: '1', topic: 'u' },
    ],
    labelOffsets: [],
  }
  const statements = await statementsOf((sql) => new SortedStates(sql).make(asOf).catch(() => {}))
  const draw = statements.find((statement) => /TABLE IF NOT EXISTS draw_[0-9a-f]{16} /.test(statement))!
  const section = text.slice(text.indexOf('### `draw_DIGEST`'), text.indexOf('## `winnow_migrations`'))
  for (const name of made(draw).columns.keys()) expect(section).toContain(`\`${name}\``)
})

test('docs/trainer.md has every field of a report, the fields of a manifest that it names, and the topics', () => {
  const text = page('trainer.md')
  const rowsUnder = (heading: string) =>
    [
      ...text
        .slice(text.indexOf(heading))
        .split('\n\n')
        .find((part) => part.startsWith('|'))!
        .matchAll(/^\| (`.*?) +\|/gm),
    ].flatMap(([, names]) => [...names!.matchAll(/`(\w+)/g)].map(([, name]) => name!))
  const fields = (record: typeof Progress | typeof Manifest | typeof SelectionChunk) =>
    record.avro.fields.map((field) => (field as { name: string }).name)
  expect(rowsUnder('## Reporting')).toEqual(fields(Progress))
  const ofManifest = rowsUnder('## Reading a selection').filter((name) => name !== 'documents')
  expect(ofManifest.length).toBeGreaterThan(5)
  for (const name of ofManifest) expect(fields(Manifest)).toContain(name)
  for (const name of fields(SelectionChunk)) expect(text).toContain(`\`${name}\``)
  const { progress, consoleState, selections } = runTopics('NAME')
  for (const { name, partitions } of [topics.runs, progress, consoleState, selections]) {
    expect(text).toContain(`\`${name}\``)
    expect(partitions).toBe(1)
  }
})

test('docs/troubleshooting.md quotes codes, states and messages that exist', () => {
  const sources = ['services', 'topologies', 'deploy'].flatMap((folder) =>
    globSync(`${folder}/**/*.{ts,mjs}`, { cwd: root, exclude: (name) => name.includes('node_modules') }),
  )
  const code = sources.map((file) => readFileSync(join(root, file), 'utf8')).join('\n')
  const symptoms = page('troubleshooting.md')
    .split('\n')
    .flatMap((line) => /^\| (.*?) +\|/.exec(line)?.[1] ?? [])
  const quoted = symptoms.flatMap((symptom) => [...symptom.matchAll(/`([^`]+)`/g)].map(([, text]) => text!))
  expect(quoted.length).toBeGreaterThan(15)
  for (const text of quoted) {
    if (/^[A-Z_]+$/.test(text)) expect(Object.keys(errorCodes)).toContain(text)
    // What stands for a value is a capital letter or a number.
    else for (const part of text.split(/ ?\b(?:X|N|\d+)\b ?/)) expect(code, text).toContain(part)
  }
})
