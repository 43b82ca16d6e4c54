import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { migrate, statementsOf } from '../../../../services/runtime/clickhouse/migrate.ts'

describe('migrations', () => {
  let folder: string
  let migrations: string
  let clickHouse: ClickHouse
  const write = (name: string, text: string) => writeFile(join(migrations, name), text)
  const tables = async (): Promise<string[]> =>
    (await clickHouse.sql.query<{ name: string }>('SHOW TABLES')).map(({ name }) => name)

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'winnow-migrate-'))
    clickHouse = await createClickHouse({ url: `chdb:${join(folder, 'db')}` })
  })
  beforeEach(async () => {
    for (const table of await tables()) await clickHouse.sql.command(`DROP TABLE ${table} SYNC`)
    migrations = join(folder, crypto.randomUUID())
    await mkdir(migrations)
    await write('001_first.sql', 'CREATE TABLE first (a UInt64)\nENGINE = MergeTree ORDER BY a;\n')
  })
  afterAll(async () => {
    await clickHouse.close()
    await rm(folder, { recursive: true })
  })

  test('are applied in the order of their numbers, each once', async () => {
    // Applied before the first, the second would fail: it copies from it.
    await write('002_second.sql', 'CREATE TABLE second AS first;\nINSERT INTO second SELECT 7;\n')
    expect(await migrate(clickHouse.sql, migrations)).toEqual(['001_first.sql', '002_second.sql'])
    expect(await migrate(clickHouse.sql, migrations)).toEqual([])
    expect(await clickHouse.sql.query('SELECT a FROM second')).toEqual([{ a: '7' }])
    await write('003_third.sql', 'CREATE TABLE third AS first;\n')
    expect(await migrate(clickHouse.sql, migrations)).toEqual(['003_third.sql'])
    expect(await tables()).toEqual(['first', 'second', 'third', 'winnow_migrations'])
  })

  test('refuse a file that changed after it was applied, and name it', async () => {
    await migrate(clickHouse.sql, migrations)
    await write('001_first.sql', 'CREATE TABLE first (a UInt64, b UInt64) ENGINE = MergeTree ORDER BY a;\n')
    await expect(migrate(clickHouse.sql, migrations)).rejects.toThrow(/001_first\.sql has changed since it was applied/)
  })

  test('refuse a database made by a later version', async () => {
    await write('002_later.sql', 'CREATE TABLE later AS first;\n')
    await migrate(clickHouse.sql, migrations)
    await rm(join(migrations, '002_later.sql'))
    await expect(migrate(clickHouse.sql, migrations)).rejects.toThrow(
      /002_later\.sql was applied to this database but its file is missing/,
    )
  })

  test('refuse a new file numbered before an applied one', async () => {
    await write('003_third.sql', 'CREATE TABLE third AS first;\n')
    await migrate(clickHouse.sql, migrations)
    await write('002_second.sql', 'CREATE TABLE second AS first;\n')
    await expect(migrate(clickHouse.sql, migrations)).rejects.toThrow(/002_second\.sql comes before 003_third\.sql/)
    expect(await tables()).not.toContain('second')
  })

  test('refuse two files with the same number, and a file without a number', async () => {
    await write('001_other.sql', 'SELECT 1;')
    await expect(migrate(clickHouse.sql, migrations)).rejects.toThrow(/same number/)
    await rm(join(migrations, '001_other.sql'))
    await write('other.sql', 'SELECT 1;')
    await expect(migrate(clickHouse.sql, migrations)).rejects.toThrow(/other\.sql is not called NNN_name\.sql/)
  })

  test('record a file only after all of it was applied, so that it runs again after an error', async () => {
    const broken = 'CREATE TABLE IF NOT EXISTS second AS first;\nINSERT INTO nowhere SELECT 1;\n'
    await write('002_second.sql', broken)
    await expect(migrate(clickHouse.sql, migrations)).rejects.toThrow(/migration 002_second\.sql failed.*nowhere/s)
    await write('002_second.sql', broken.replace('nowhere', 'second'))
    expect(await migrate(clickHouse.sql, migrations)).toEqual(['002_second.sql'])
    expect(await clickHouse.sql.query('SELECT a FROM second')).toEqual([{ a: '1' }])
  })

  const own = join(import.meta.dirname, '../../../../schemas/clickhouse')
  /** A database as it was before the granules were made smaller, with 20,000 texts. */
  async function olderDatabase(): Promise<void> {
    const old = join(folder, crypto.randomUUID())
    await cp(own, old, { recursive: true, filter: (path) => !/(00[5-9]|01\d)_/.test(path) })
    await migrate(clickHouse.sql, old)
    for (const from of [0, 10_000])
      await clickHouse.sql.command(
        `INSERT INTO documents SELECT number, repeat('x', number % 100), '{}', 1 FROM numbers(${from}, 10000)`,
      )
  }
  async function expectSmallGranules(): Promise<void> {
    expect(await migrate(clickHouse.sql)).toEqual([])
    const counts = 'count() AS rows, uniqExact(doc) AS documents, sum(length(text)) AS characters'
    expect(await clickHouse.sql.query(`SELECT ${counts} FROM documents FINAL`)).toEqual([
      { rows: '20000', documents: '20000', characters: '990000' },
    ])
    const [{ engine_full } = { engine_full: '' }] = await clickHouse.sql.query<{ engine_full: string }>(
      "SELECT engine_full FROM system.tables WHERE name = 'documents' AND database = currentDatabase()",
    )
    expect(engine_full).toContain('index_granularity = 64')
    expect(await tables()).not.toContain('documents_fine')
    expect(await clickHouse.sql.query('SELECT doc FROM documents_coarse')).toEqual([])
    // Merges write what was there anew, in small granules. OPTIMIZE waits for those that run, by default for 120 s, and then does nothing.
    await clickHouse.sql.command(
      'ALTER TABLE documents MODIFY SETTING lock_acquire_timeout_for_background_operations = 1',
    )
    const marksOfAll = async () => {
      await clickHouse.sql.command('OPTIMIZE TABLE documents FINAL')
      const [{ marks } = { marks: '0' }] = await clickHouse.sql.query<{ marks: string }>(
        "SELECT sum(marks) AS marks FROM system.parts WHERE active AND table = 'documents' AND database = currentDatabase()",
      )
      return Number(marks)
    }
    await expect.poll(marksOfAll, { timeout: 20_000 }).toBeGreaterThan(300)
  }

  test.each([0, 1, 2, 3, 4, 5])(
    'of the granules of texts, ended after %i of 5 statements, lose nothing',
    async (done) => {
      await olderDatabase()
      const texts = await Promise.all(
        ['005_small_granules.sql', '006_texts_once.sql'].map((name) => readFile(join(own, name), 'utf8')),
      )
      for (const statement of texts.flatMap(statementsOf).slice(0, done)) await clickHouse.sql.command(statement)
      const migrated = await migrate(clickHouse.sql)
      expect(migrated.slice(0, 2)).toEqual(['005_small_granules.sql', '006_texts_once.sql'])
      await expectSmallGranules()
    },
  )

  test('of the granules of texts lose nothing where several processes start at the same time', async () => {
    for (let turn = 0; turn < 2; turn++) {
      for (const table of await tables()) await clickHouse.sql.command(`DROP TABLE ${table} SYNC`)
      await olderDatabase()
      const all = await Promise.allSettled(Array.from({ length: 3 }, () => migrate(clickHouse.sql)))
      expect(all.filter(({ status }) => status === 'fulfilled')).not.toEqual([])
      await migrate(clickHouse.sql)
      await expectSmallGranules()
    }
  })
})

test('statements end with a semicolon at a line’s end, and comment lines are skipped', () => {
  const text = "-- A comment; with one;\nSELECT ';' AS a,\n  2;\n\n  -- another\nSELECT 3;  \nSELECT 4"
  expect(statementsOf(text)).toEqual(["SELECT ';' AS a,\n  2", 'SELECT 3', 'SELECT 4'])
})
