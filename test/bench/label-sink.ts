/**
 * Label records per second through the label sink, from topic to row, and as a ratio to bare inserts of the same rows into the same table.
 * Run by hand on a quiet machine: node test/bench/label-sink.ts [records]. The target is 100,000 records/s on two cores.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { Label, labelsTopic } from '../../schemas/index.ts'
import { columnNames } from '../../services/corpus/columns.ts'
import { startLabelSink } from '../../services/host/corpus.ts'
import { createCorpusTopics, openRuntime } from '../../services/host/runtime.ts'
import { loadConfig } from '../../services/runtime/config.ts'
import type { OutgoingRecord } from '../../services/runtime/kafka/port.ts'
import { createLog } from '../../services/runtime/log.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'

const records = Number(process.argv[2] ?? 1_000_000)
const target = 100_000
const recordsPerSend = 10_000
const rowsPerInsert = 100_000
const actor = 'topic'
const log = createLog('bench', 'warn')
const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const config = loadConfig({ folder, env: {}, dataFolder: join(folder, 'data') })
const cluster = await startCluster({ dataFolder: config.dataFolder, log })
const runtime = await openRuntime(cluster, log)
const seconds = (since: number) => (performance.now() - since) / 1000

const labelOf = (i: number, version: string): Label => ({
  docId: splitmix64(BigInt(i)),
  actor,
  subcategory: i % 13,
  score: (i % 1000) / 1000,
  tokens: 200 + (i % 1800),
  version,
})

try {
  await createCorpusTopics(runtime.kafka, config)
  const topic = labelsTopic(actor).name
  const producer = await runtime.kafka.producer()
  for (let first = 0; first < records; first += recordsPerSend) {
    const some: OutgoingRecord[] = []
    for (let i = first; i < Math.min(records, first + recordsPerSend); i++) {
      const value = labelOf(i, 'v1')
      some.push({ topic, key: `${value.docId}`, value: runtime.codec.encode(Label, value) })
    }
    await producer.send(some)
  }
  await producer.close()

  const before = process.cpuUsage()
  let began = performance.now()
  const fail = (error: unknown) => {
    throw error
  }
  const sink = await startLabelSink(runtime, config, fail)
  const ends = await runtime.kafka.endOffsets(topic)
  let joined = 0
  for (;;) {
    const covered = (await runtime.store.covered()).filter((offset) => offset.topic === topic)
    const read = covered.reduce((sum, { offsetNext }) => sum + offsetNext, 0)
    if (joined === 0 && read > 0) joined = performance.now()
    if (covered.length > 0 && read >= ends.reduce((sum, end) => sum + end, 0)) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const sinkSeconds = seconds(began)
  const cpu = process.cpuUsage(before)
  await sink.close()
  const [row] = await runtime.clickHouse.sql.query<{ rows: string }>(
    `SELECT count() AS rows FROM corpus FINAL WHERE isNotNull(${columnNames({ actor, version: 'v1' }).label})`,
  )
  if (Number(row!.rows) !== records) throw new Error(`${row!.rows} rows of ${records}`)

  // The same rows without Kafka, Avro and the sink's own work.
  await runtime.store.ensureColumns(actor, 'v2')
  const { label, score, at } = columnNames({ actor, version: 'v2' })
  const batches = Array.from({ length: Math.ceil(records / rowsPerInsert) }, (_, b) =>
    Array.from({ length: Math.min(rowsPerInsert, records - b * rowsPerInsert) }, (_, j) => {
      const { docId, subcategory, score: value, tokens } = labelOf(b * rowsPerInsert + j, 'v2')
      return { doc: docId, part: 0, tokens, [label]: subcategory, [score]: value, [at]: b * rowsPerInsert + j }
    }),
  )
  began = performance.now()
  for (const rows of batches)
    await runtime.clickHouse.sql.insert('corpus', rows, { columns: ['doc', 'part', 'tokens', label, score, at] })
  const bareSeconds = seconds(began)
  const rate = records / sinkSeconds
  console.log({
    records,
    sink: { recordsPerSecond: Math.round(rate), timesTarget: rate / target, joinSeconds: (joined - (performance.now() - 0)) / 1e9 },
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    bareInserts: { rowsPerSecond: Math.round(records / bareSeconds), ratio: bareSeconds / sinkSeconds },
    peakMiB: process.resourceUsage().maxRSS / 1024,
  })
} finally {
  await runtime.close()
  await cluster.stop()
  rmSync(folder, { recursive: true })
}
