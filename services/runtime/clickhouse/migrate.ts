import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WinnowError } from '../errors.ts'
import type { Sql } from './sql.ts'

const ownMigrations = fileURLToPath(new URL('../../../schemas/clickhouse', import.meta.url))

interface Migration {
  name: string
  text: string
  sha256: string
}

/**
 * Applies the files NNN_name.sql of `folder` in the order of their numbers, each once; returns the names of those applied now. A file is
 * recorded after its last statement, so an interrupted one runs again, and two processes may run one at the same time: its statements must be
 * idempotent (IF NOT EXISTS), or the file says by `-- unless: QUERY` how it is known that it was done: the query then gives a row.
 * CONFIGURATION if an applied file has changed or is gone, or a new one comes before an applied one.
 */
export async function migrate(sql: Sql, folder: string = ownMigrations): Promise<string[]> {
  const migrations = await read(folder)
  await sql.command(`CREATE TABLE IF NOT EXISTS winnow_migrations (name String, sha256 String, applied DateTime DEFAULT now())
    ENGINE = ReplacingMergeTree ORDER BY name`)
  const records = await sql.query<{ name: string; sha256: string }>(
    'SELECT name, sha256 FROM winnow_migrations FINAL ORDER BY name',
  )
  for (const { name, sha256 } of records) {
    const migration = migrations.find((candidate) => candidate.name === name)
    if (!migration) {
      throw refused(
        folder,
        `${name} was applied to this database but its file is missing`,
        'The database belongs to a later version of winnow: use that one.',
      )
    }
    if (migration.sha256 !== sha256) {
      throw refused(
        folder,
        `${name} has changed since it was applied`,
        'Restore the file, and put the change into a new one with the next number.',
      )
    }
  }
  const last = records.at(-1)?.name ?? ''
  const pending = migrations.filter(({ name }) => !records.some((record) => record.name === name))
  for (const { name } of pending) {
    if (name < last)
      throw refused(folder, `${name} comes before ${last}, which is already applied`, 'Give it the next number.')
  }
  for (const { name, text, sha256 } of pending) {
    await apply(sql, name, text)
    await sql.insert('winnow_migrations', [{ name, sha256 }], { columns: ['name', 'sha256'] })
  }
  return pending.map(({ name }) => name)
}

async function apply(sql: Sql, name: string, text: string): Promise<void> {
  const unless = /^-- unless: (.+)$/m.exec(text)?.[1]
  const done = async () => unless !== undefined && (await sql.query(unless)).length > 0
  if (await done()) return
  for (const statement of statementsOf(text)) {
    try {
      await sql.command(statement)
    } catch (cause) {
      // Another process was faster.
      if (await done()) return
      throw new WinnowError('CONFIGURATION', `migration ${name} failed: ${(cause as Error).message}`, { cause })
    }
  }
}

async function read(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  const numbers = new Map<string, string>()
  for (const name of names) {
    const number = /^(\d{3})_\w+\.sql$/.exec(name)?.[1]
    if (number === undefined) throw refused(folder, `${name} is not called NNN_name.sql`, 'Rename it.')
    const other = numbers.get(number)
    if (other !== undefined)
      throw refused(folder, `${other} and ${name} have the same number`, 'Renumber the newer one.')
    numbers.set(number, name)
  }
  return await Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(folder, name), 'utf8')
      return { name, text, sha256: createHash('sha256').update(text).digest('hex') }
    }),
  )
}

/** Statements end with a semicolon at the end of a line; lines that begin with -- are skipped. */
export function statementsOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('--'))
    .join('\n')
    .split(/;[ \t]*(?:\r?\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}

const refused = (folder: string, what: string, hint: string): WinnowError =>
  new WinnowError('CONFIGURATION', `ClickHouse migrations in ${folder}: ${what}`, { hint })
