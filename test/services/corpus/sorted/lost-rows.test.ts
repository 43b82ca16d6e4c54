import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ClickHouseStore } from '../../../../services/corpus/clickhouse-store.ts'
import { StateCatalog } from '../../../../services/corpus/sorted/catalog.ts'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../../services/runtime/clickhouse/migrate.ts'
import { parseSelectionConfig } from '../../../../topologies/selection/config.ts'
import { select } from '../../../../topologies/selection/select.ts'
import { blocksFor } from '../../../support/documents.ts'
import { addDocuments, asOf, column } from './one-actor.ts'

const config = parseSelectionConfig({
  ...{ seed: 1, actors: { topic: { subcategories: ['a', 'b', 'c', 'd'] } }, budget: { documents: 100 } },
})

let folder: string
let clickHouse: ClickHouse
let table: string
const command = async (statement: string) => await clickHouse.sql.command(statement)

/** By a process that has just started, of the corpus as of n documents. */
async function selected(n = 1000): Promise<bigint[]> {
  const corpus = await new ClickHouseStore(clickHouse.sql, { rowsPerStep: 300 }).view(asOf(n))
  const ids: bigint[] = []
  for await (const block of (await select(corpus, config, 1, [[0.1, 0.4, 0.3, 0.2]], [1])).ids) ids.push(...block)
  return ids
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-lost-rows-'))
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
  await addDocuments(clickHouse.sql, 0, 1000)
  table = new StateCatalog(clickHouse.sql, { columns: [column] }).table
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

/** What docs/clickhouse.md says to do, as it stands there. */
async function madeAgain(): Promise<void> {
  const blocks = blocksFor('services/corpus/sorted/lost-rows')
  const statements = blocks.flatMap(({ text }) => text.replaceAll('DIGEST', table.slice('draw_'.length)).split(';'))
  for (const statement of statements) if (statement.trim() !== '') await command(statement.trim())
}
beforeEach(madeAgain)

const losses: [what: string, lose: () => string, said: RegExp][] = [
  [
    'rows',
    () => `ALTER TABLE ${table} DELETE WHERE place % 2 = 0 SETTINGS mutations_sync = 2`,
    /has \d{3} of the 1000 rows/,
  ],
  ['all rows', () => `TRUNCATE TABLE ${table}`, /has 0 of the 1000 rows/],
  ['the table', () => `DROP TABLE ${table}`, /has 0 of the 1000 rows/],
  [
    'counts',
    () => `ALTER TABLE draw_cells DELETE WHERE has(labels, 1) SETTINGS mutations_sync = 2`,
    /draw_cells has 750 of the 1000 documents/,
  ],
]

describe('a table sorted for drawing', () => {
  test.each(losses)(
    'that has lost %s opens no round; made again as documented it gives the selection that it would have given',
    async (_, lose, said) => {
      const expected = await selected()
      expect(expected.length).toBe(100)
      await command(lose())
      await expect(selected()).rejects.toMatchObject({
        ...{
          code: 'GUARANTEE_VIOLATED',
          message: expect.stringMatching(said),
          hint: expect.stringContaining('A table that is not whole'),
        },
      })
      await madeAgain()
      expect(await selected()).toEqual(expected)
    },
  )

  test('with rows of a build that was cut off is whole, and so is one that several states added to', async () => {
    const expected = await selected(600)
    await command(`INSERT INTO ${table} SELECT * REPLACE (7 AS state) FROM ${table} LIMIT 100`)
    expect(await selected(600)).toEqual(expected)
    await selected(900)
    await selected(1000)
    expect(await selected(600)).toEqual(expected)
  })
})
