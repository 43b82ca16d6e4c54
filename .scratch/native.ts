import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createClickHouse } from '../services/runtime/clickhouse/client.ts'
import { migrate } from '../services/runtime/clickhouse/migrate.ts'
import { ClickHouseStore } from '../services/corpus/clickhouse-store.ts'
import { labelRows } from '../services/corpus/label-rows.ts'
import { splitmix64 } from '../topologies/selection/u64.ts'
import { Readable } from 'node:stream'
const folder = mkdtempSync('/tmp/native-')
const ch = await createClickHouse({ url: `chdb:${folder}` })
await migrate(ch.sql)
const store = new ClickHouseStore(ch.sql)
const N = 1_000_000, B = 100_000
const varint = (n: number) => { const b = []; while (n >= 128) { b.push((n & 127) | 128); n = Math.floor(n / 128) } b.push(n); return Buffer.from(b) }
const str = (s: string) => Buffer.concat([varint(Buffer.byteLength(s)), Buffer.from(s)])
async function insert(format: string, cols: string[], data: Uint8Array, settings: Record<string,string>) {
  const { stream } = await ch.client.exec({ query: `INSERT INTO corpus (${cols.join(', ')}) FORMAT ${format}`, values: Readable.from([data], { objectMode: false }), clickhouse_settings: { insert_deduplication_token: '', ...settings } as never })
  await stream.resume().toArray()
}
let v = 0
async function run(name: string, format: 'RowBinary' | 'Native', settings: Record<string,string>) {
  v++
  await store.ensureColumns('topic', 'v' + v)
  const cols = ['doc', 'part', 'tokens', `label_topic_v${v}`, `score_topic_v${v}`, `at_topic_v${v}`]
  const blocks: Uint8Array[] = []
  for (let b = 0; b < N / B; b++) {
    if (format === 'RowBinary') blocks.push(labelRows(Array.from({ length: B }, (_, j) => { const i = b * B + j; return { value: { docId: splitmix64(BigInt(i)) as never, actor: 'topic', subcategory: i % 13, score: (i % 1000) / 1000, tokens: 200 + i % 1800, version: 'v' }, partition: 0, offset: i } })))
    else {
      const doc = new BigUint64Array(B), part = new Uint32Array(B), tokens = new BigUint64Array(B), label = new Uint16Array(B), score = new Float64Array(B), at = new BigUint64Array(B)
      for (let j = 0; j < B; j++) { const i = b * B + j; doc[j] = splitmix64(BigInt(i)); tokens[j] = BigInt(200 + i % 1800); label[j] = i % 13; score[j] = (i % 1000) / 1000; at[j] = BigInt(i) }
      const types = ['UInt64', 'UInt32', 'UInt64', 'UInt16', 'Float64', 'UInt64']
      const nullable = [0, 0, 0, 1, 1, 1]
      const parts: Buffer[] = [varint(6), varint(B)]
      ;[doc, part, tokens, label, score, at].forEach((a, k) => { parts.push(str(cols[k]!), str(nullable[k] && process.env.NULLABLE ? `Nullable(${types[k]})` : types[k]!)); if (nullable[k] && process.env.NULLABLE) parts.push(Buffer.alloc(B)); parts.push(Buffer.from(a.buffer)) })
      blocks.push(Buffer.concat(parts))
    }
  }
  for (let rep = 0; rep < 3; rep++) {
    await ch.sql.command('TRUNCATE TABLE corpus')
    const cpu = process.cpuUsage(), began = performance.now()
    for (const block of blocks) await insert(format, cols, block, settings)
    const u = process.cpuUsage(cpu)
    console.log(name, 'wall', ((performance.now() - began) / 1000).toFixed(2), 'cpu', ((u.user + u.system) / 1e6).toFixed(2))
  }
  const [row] = await ch.sql.query(`SELECT count() AS n, sum(cityHash64(doc, part, tokens, label_topic_v${v}, score_topic_v${v}, at_topic_v${v})) AS h FROM corpus FINAL`)
  console.log(row)
}
await run('rowbinary', 'RowBinary', {})
await run('native', 'Native', {})
await run('rowbinary no optimize', 'RowBinary', { optimize_on_insert: '0' })
await run('native no optimize', 'Native', { optimize_on_insert: '0' })
await ch.close(); rmSync(folder, { recursive: true })
