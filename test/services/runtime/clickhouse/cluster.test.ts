import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { shardKey } from '../../../../services/corpus/shard-key.ts'
import { onCluster } from '../../../../services/runtime/clickhouse/cluster.ts'
import { statementsOf } from '../../../../services/runtime/clickhouse/migrate.ts'

const on = (statement: string, database = 'corpora') => onCluster(statement, { name: 'big-one', shardKey }, database)

test('a table is a Replicated one on every shard, and a Distributed one over them', () => {
  expect(
    on(`CREATE TABLE IF NOT EXISTS sink_offsets (
  topic String,
  partition UInt32,
  offsetNext UInt64
) ENGINE = ReplacingMergeTree(offsetNext) ORDER BY (topic, partition)`),
  ).toEqual([
    `CREATE TABLE IF NOT EXISTS \`corpora\`.sink_offsets_local ON CLUSTER \`big-one\` (
  topic String,
  partition UInt32,
  offsetNext UInt64
) ENGINE = ReplicatedReplacingMergeTree(offsetNext) ORDER BY (topic, partition)`,
    "CREATE TABLE IF NOT EXISTS `corpora`.sink_offsets ON CLUSTER `big-one` AS `corpora`.sink_offsets_local ENGINE = Distributed('big-one', 'corpora', 'sink_offsets_local', sipHash64(topic, partition))",
  ])
})

test('settings of a table, and brackets in its columns, stay what they are', () => {
  const [local, distributed] = on(`CREATE TABLE IF NOT EXISTS draw_1 (
    l0 UInt16, place UInt64 CODEC(Delta, ZSTD), cells Array(UInt16)
  ) ENGINE = MergeTree ORDER BY (l0, place)
  SETTINGS index_granularity = 512`)
  expect(local).toContain('ENGINE = ReplicatedMergeTree ORDER BY (l0, place)\n  SETTINGS index_granularity = 512')
  expect(local).toContain('CODEC(Delta, ZSTD)')
  expect(distributed).toMatch(/'draw_1_local', place\)$/)
})

test('tables with documents are sharded by their place, whatever they are sorted by', () => {
  expect(shardKey(['run', 'round', 'doc'], ['run', 'doc', 'round'])).toBe(shardKey(['doc', 'text'], ['doc']))
  expect(shardKey(['doc'], ['doc'])).toMatch(/^bitXor\(.*doc \+ 11400714819323198485/)
  expect(shardKey(['l0', 'place'], ['l0', 'place'])).toBe('place')
})

test('all tables of winnow can be made on a cluster', () => {
  const folder = join(import.meta.dirname, '../../../../schemas/clickhouse')
  const texts = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'))
  // The others are left out there, as they say.
  for (const text of texts.filter((text) => !/^-- unless: .*engine = 'Distributed'/m.test(text)))
    for (const statement of statementsOf(text)) expect(on(statement), statement).not.toHaveLength(0)
})

test('columns are added to shards first, and dropped from them last', () => {
  const names = (statement: string) => on(statement).map((one) => /\.(\w+)/.exec(one)![1])
  expect(names('ALTER TABLE corpus ADD COLUMN IF NOT EXISTS a UInt8, ADD COLUMN IF NOT EXISTS b UInt8')).toEqual([
    'corpus_local',
    'corpus',
  ])
  expect(names('ALTER TABLE corpus DROP COLUMN a')).toEqual(['corpus', 'corpus_local'])
  expect(names('ALTER TABLE corpus ADD INDEX IF NOT EXISTS i a TYPE minmax')).toEqual(['corpus_local'])
})

test('rows are deleted where they are', () => {
  expect(on('ALTER TABLE reads DELETE WHERE run = {run:String} SETTINGS mutations_sync = 2')).toEqual([
    'ALTER TABLE `corpora`.reads_local ON CLUSTER `big-one` DELETE WHERE run = {run:String} SETTINGS mutations_sync = 2',
  ])
  expect(on('OPTIMIZE TABLE draw_1 FINAL')).toEqual([
    'OPTIMIZE TABLE `corpora`.draw_1_local ON CLUSTER `big-one` FINAL',
  ])
  expect(on('DROP TABLE IF EXISTS draw_1')).toEqual([
    'DROP TABLE IF EXISTS `corpora`.draw_1 ON CLUSTER `big-one`',
    'DROP TABLE IF EXISTS `corpora`.draw_1_local ON CLUSTER `big-one`',
  ])
})

test('a statement that each shard runs by itself names the database, whatever that is called', () => {
  expect(on('INSERT INTO draw_1 SELECT doc FROM corpus FINAL WHERE doc IN (SELECT doc FROM corpus)', 'a`b')).toEqual([
    'INSERT INTO `a\\`b`.draw_1 SELECT doc FROM `a\\`b`.corpus FINAL WHERE doc IN (SELECT doc FROM `a\\`b`.corpus)',
  ])
})

test('a statement that names the columns it inserts is run as well', () => {
  expect(
    on('INSERT INTO ranks (doc, rank)\n SELECT doc, 1 AS rank FROM (SELECT doc FROM a) AS x LEFT JOIN b USING (doc)'),
  ).toEqual([
    'INSERT INTO `corpora`.ranks (doc, rank)\n SELECT doc, 1 AS rank FROM (SELECT doc FROM `corpora`.a) AS x LEFT JOIN `corpora`.b USING (doc)',
  ])
})

test('what inserts keep is kept by each shard of its own rows', () => {
  expect(
    on(
      'CREATE MATERIALIZED VIEW IF NOT EXISTS draw_1_cells TO draw_cells AS\n SELECT count() FROM draw_1 GROUP BY state',
    ),
  ).toEqual([
    'CREATE MATERIALIZED VIEW IF NOT EXISTS `corpora`.draw_1_cells ON CLUSTER `big-one` TO `corpora`.draw_cells_local AS SELECT count() FROM `corpora`.draw_1_local GROUP BY state',
  ])
})

test('a statement that is not known on a cluster is refused', () => {
  for (const statement of [
    'RENAME TABLE a TO b',
    'CREATE MATERIALIZED VIEW v TO t AS SELECT 1',
    'SYSTEM RELOAD CONFIG',
  ])
    expect(() => on(statement)).toThrow('not known on a cluster')
})
