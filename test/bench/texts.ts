/**
 * Random reads of texts by id, as trainers ask for them, from a table with ClickHouse's granules and from ones with smaller granules, as the
 * corpus grows. The order of ids is `documents`'s: a selection is a permutation by hash, so no order of the table makes neighbours of what is
 * read together; the last columns read as many neighbours, for what an order could give at best.
 * Run by hand on a quiet machine: node test/bench/texts.ts [documents...] (default 10^5 10^6; 10^7 needs 16 GB of disk)
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import type { Sql } from '../../services/runtime/clickhouse/sql.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'

interface Granules {
  readonly rows: number
  readonly block: number
}

const sizes = process.argv.slice(2).map(Number)
/** Rows of a granule, and the bytes from which on a block is compressed where a granule ends: 64 KiB is ClickHouse's default. */
const granules: readonly Granules[] = [
  { rows: 8192, block: 65_536 },
  { rows: 1024, block: 65_536 },
  { rows: 128, block: 65_536 },
  { rows: 64, block: 16_384 },
  { rows: 16, block: 16_384 },
]
/** From so many documents on only these are filled. */
const fewerFrom = 10_000_000
const kept = [8192, 64]
const rowsPerInsert = 500_000
/** Texts are pieces of this much, log-normal in length: median 1,000 bytes, mean 1,400. */
const wordsOfPool = 1_500_000
const length = 'toUInt32(least(200000, exp(6.9 + 0.8 * randNormal(0, 1))))'
/** As winnow-trainer asks: so many texts at a time, so many questions at once. */
const idsPerQuestion = 1024
const atOnce = 4
/** As many as fit into so many seconds, at least one for each connection. */
const seconds = 8

const idOf = (row: bigint): bigint => (1n << 40n) + (row << 8n)
const tableOf = ({ rows }: Granules): string => `documents_${rows}`

async function fill(sql: Sql, documents: number, all: readonly Granules[]): Promise<void> {
  await sql.command('CREATE TABLE pool (text String) ENGINE = MergeTree ORDER BY tuple()')
  await sql.command(
    `INSERT INTO pool SELECT arrayStringConcat(groupArray(substring(hex(cityHash64(word)), 1, 2 + word % 8)), ' ')
     FROM (SELECT toUInt32(pow(randCanonical(), 3) * 50000) AS word FROM numbers(${wordsOfPool}))`,
  )
  for (const one of all)
    await sql.command(
      `CREATE TABLE ${tableOf(one)} (doc UInt64, text String CODEC(ZSTD(3)), meta String CODEC(ZSTD(3)), tokens UInt64)
       ENGINE = ReplacingMergeTree ORDER BY doc SETTINGS index_granularity = ${one.rows}, min_compress_block_size = ${one.block}`,
    )
  const [first, ...others] = all.map(tableOf)
  for (let from = 0; from < documents; from += rowsPerInsert) {
    const rows = Math.min(rowsPerInsert, documents - from)
    await sql.command(
      `INSERT INTO ${first} WITH (SELECT text FROM pool) AS pool
       SELECT bitShiftLeft(toUInt64(1), 40) + bitShiftLeft(number, 8), substring(pool, 1 + rand64() % (length(pool) - 200000), ${length}), '{}', 1
       FROM numbers(${from}, ${rows}) SETTINGS max_threads = 1, min_insert_block_size_bytes = 4000000000, min_insert_block_size_rows = ${rowsPerInsert}`,
    )
    const range = `doc >= ${idOf(BigInt(from))} AND doc < ${idOf(BigInt(from + rows))}`
    for (const table of others)
      await sql.command(
        `INSERT INTO ${table} SELECT * FROM ${first} WHERE ${range}
         SETTINGS max_threads = 1, min_insert_block_size_bytes = 4000000000, min_insert_block_size_rows = ${rowsPerInsert}`,
      )
  }
}

/** Texts per second by the trainer's statement, and the processor's seconds for a million of them. */
async function read(sql: Sql, table: string, rows: (question: number) => bigint[], connections: number) {
  let next = 0
  let bytes = 0
  const cpu = process.cpuUsage()
  const began = performance.now()
  const ask = async () => {
    do {
      const ids = rows(next++).map(idOf)
      const answer = await sql.queryText(
        `SELECT doc, text FROM ${table} WHERE doc IN (${ids.join(',')}) LIMIT 1 BY doc FORMAT RowBinary`,
      )
      bytes += answer.length
    } while (performance.now() - began < seconds * 1000)
  }
  await Promise.all(Array.from({ length: connections }, ask))
  const { user, system } = process.cpuUsage(cpu)
  const read = next * idsPerQuestion
  if (bytes < read * 100) throw new Error(`only ${bytes} bytes were read of ${table}`)
  return { perSecond: read / ((performance.now() - began) / 1000), cpuPerMillion: (user + system) / read }
}

for (const documents of sizes.length === 0 ? [100_000, 1_000_000] : sizes) {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
  const { sql, close } = await createClickHouse({ url: `chdb:${join(folder, 'db')}` })
  try {
    const all = documents >= fewerFrom ? granules.filter(({ rows }) => kept.includes(rows)) : granules
    const began = performance.now()
    await fill(sql, documents, all)
    console.log(
      `${documents} documents, filled in ${Math.round((performance.now() - began) / 1000)} s, load ${loadavg()[0]!.toFixed(1)}`,
    )
    const scattered = (question: number) =>
      Array.from(
        { length: idsPerQuestion },
        (_, i) => splitmix64(BigInt(question * idsPerQuestion + i)) % BigInt(documents),
      )
    const together = (question: number) => {
      const first = splitmix64(BigInt(question)) % BigInt(documents - idsPerQuestion)
      return Array.from({ length: idsPerQuestion }, (_, i) => first + BigInt(i))
    }
    for (const one of all) {
      const table = tableOf(one)
      const alone = await read(sql, table, scattered, 1)
      const four = await read(sql, table, scattered, atOnce)
      const neighbours = await read(sql, table, together, 1)
      const [size] = await sql.query(
        `SELECT formatReadableSize(sum(bytes_on_disk)) AS disk, formatReadableSize(sum(primary_key_bytes_in_memory)) AS index, count() AS parts,
                sum(marks) AS marks, formatReadableSize(sum(marks_bytes)) AS marksSize
         FROM system.parts WHERE active AND table = '${table}'`,
      )
      console.log(JSON.stringify({ documents, ...one, alone, four, neighbours, ...(size as object) }))
    }
  } finally {
    await close()
    execFileSync('sync')
    rmSync(folder, { recursive: true, force: true })
  }
}
