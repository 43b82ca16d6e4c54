/**
 * What a limit on near duplicates costs the first round that sees a state of the corpus (docs/duplicates.md): the ranks of documents in their crowds, which ClickHouse computes, beside the same look at
 * the corpus without a limit. One document in a hundred is a copy of an earlier one, with all 14 keys; the others share none. ClickHouse is a process of its own, whose memory is read.
 * Run by hand on a quiet machine: node test/bench/duplicate-ranks.ts [documents...] (default 10^6 10^7; 10^7 need 10 GB of disk).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { topics } from '../../schemas/index.ts'
import { ClickHouseStore } from '../../services/corpus/clickhouse-store.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../services/runtime/clickhouse/migrate.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import { sketchDefaults, sketchVersion } from '../../topologies/duplicates/sketch.ts'
import { mostMiB, residentMiB } from '../soak/memory.ts'
import { start } from './scale/children.ts'
import { asOf, fill, scaleRun } from './scale/corpus.ts'
import { timed } from './scale/round.ts'

const sizes = process.argv.slice(2).map(Number)
const version = sketchVersion(sketchDefaults)
const copiedEvery = 100
const rowsPerInsert = 1_000_000

async function measure(documents: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
  const server = start('server.ts', join(folder, 'clickhouse'))
  const [url] = await new Promise<[string]>((resolve) => server.lines.once('line', (line) => resolve([line])))
  const clickHouse = await createClickHouse({ url })
  const { sql } = clickHouse
  await migrate(sql)
  const store = new ClickHouseStore(sql)
  await fill(sql, store, documents)
  const original = `toUInt64(number - 7 * (number % ${copiedEvery} = 7))`
  for (let first = 0; first < documents; first += rowsPerInsert)
    await sql.command(
      `INSERT INTO sketches (version, doc, part, at, keys)
       SELECT '${version}', cityHash64(number), 0, number, arrayMap(band -> cityHash64(${original}, band), range(${sketchDefaults.bands}))
       FROM numbers(${first}, ${Math.min(rowsPerInsert, documents - first)})`,
    )
  const labelOffsets = [...asOf(documents), { topic: topics.sketches.name, partition: 0, offsetNext: documents }]
  const options = { columns: columnsOf(scaleRun(documents)), labelOffsets, readsOf: null }
  const peak = async (look: () => Promise<unknown>) => {
    const pid = server.child.pid!
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
    const before = residentMiB(pid)!
    const [seconds] = await timed(look)
    return { seconds, mebibytes: mostMiB(pid) - before }
  }
  const count = async (more: object) => {
    const groups = await (await store.view({ ...options, ...more })).groups()
    return groups.reduce((sum, group) => sum + group.documents, 0)
  }
  const limited = { duplicates: { version, atMost: 1 } }
  let [all, left] = [0, 0]
  const without = await peak(async () => {
    all = await count({})
  })
  const first = await peak(async () => {
    left = await count(limited)
  })
  const again = await peak(() => count(limited))
  const copies = Math.floor((documents + copiedEvery - 8) / copiedEvery)
  if (all !== documents || left !== documents - copies)
    throw new Error(`${left} of ${all} documents take part, where ${copies} of ${documents} are copies`)
  const told = ({ seconds, mebibytes }: typeof first) => `${seconds.toFixed(1)} s and ${mebibytes.toFixed(0)} MiB more`
  console.log(
    `${documents} documents: without a limit ${told(without)}; with one, first ${told(first)} (${((first.mebibytes * 2 ** 20) / documents).toFixed(0)} bytes a document), then ${told(again)}`,
  )
  await clickHouse.close()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}

for (const documents of sizes.length > 0 ? sizes : [1_000_000, 10_000_000]) await measure(documents)
