/**
 * Label records per second through the label sink, from topic to row, and as a ratio to bare inserts of the same rows into the same table.
 * Run by hand on a quiet machine: node test/bench/label-sink.ts [records]. The target is 100,000 records/s on two cores.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { asDocumentId, Label, labelsTopic, topics } from '../../schemas/index.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime } from '../../services/connections/connections.ts'
import { columnNames } from '../../services/corpus/columns.ts'
import { labelRows } from '../../services/corpus/label-rows.ts'
import { startLabelSink } from '../../services/host/corpus.ts'
import type { OutgoingRecord } from '../../services/runtime/kafka/port.ts'
import { createLog } from '../../services/runtime/log.ts'
import { Labels } from '../../topologies/labels.ts'
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
  docId: asDocumentId(splitmix64(BigInt(i))),
  actor,
  subcategory: i % 13,
  score: (i % 1000) / 1000,
  tokens: 200 + (i % 1800),
  version,
})

/** Seconds until a state of the corpus is sorted for drawing: the first, and one that follows a state of the first 99 percent. */
async function histogramSeconds(): Promise<{ whole: number; incremental: number }> {
  await runtime.store.addDocuments(
    Array.from({ length: records }, (_, i) => ({
      value: { docId: asDocumentId(splitmix64(BigInt(i))), text: '', meta: '{}', tokens: 1 },
      partition: 0,
      offset: i,
    })),
  )
  const columns = [{ actor, version: 'v2', topic: labelsTopic(actor).name }]
  const groups = async (share: number) => {
    const offsetNext = Math.floor(records * share)
    const labelOffsets = [topics.documents.name, columns[0]!.topic].map((topic) => ({
      topic,
      partition: 0,
      offsetNext,
    }))
    const began = performance.now()
    await (await runtime.store.view({ columns, labelOffsets, readsOf: null, draws: true })).groups()
    return seconds(began)
  }
  return { whole: await groups(0.99), incremental: await groups(1) }
}

/** Records per second of a consumer like the sink's that decodes what it reads, and does nothing with it. */
async function readAlone(topic: string): Promise<number> {
  let read = 0
  let first: { at: number; read: number } | undefined
  const done = Promise.withResolvers<void>()
  const consumer = await runtime.kafka.consume({
    groupId: 'bench-reading',
    topics: [topic],
    batchBytesMax: 8 * 1024 * 1024,
    onBatch: async (batch) => {
      for (const { value } of batch) runtime.codec.decode(value!)
      read += batch.length
      first ??= { at: performance.now(), read }
      if (read === records) done.resolve()
    },
    onFailure: done.reject,
  })
  await done.promise
  const rate = (records - first!.read) / seconds(first!.at)
  await consumer.close()
  return rate
}

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

  const fail = (error: unknown) => {
    throw error
  }
  const reading = await readAlone(topic)
  const before = process.cpuUsage()
  let began = performance.now()
  const sink = await startLabelSink(runtime, config, fail)
  const ends = await runtime.kafka.endOffsets(topic)
  let first: { at: number; read: number } | undefined
  for (;;) {
    const committed = (await runtime.store.committed()).filter((offset) => offset.topic === topic)
    const read = committed.reduce((sum, { offsetNext }) => sum + offsetNext, 0)
    if (read > 0) first ??= { at: performance.now(), read }
    if (committed.length > 0 && read >= ends.reduce((sum, end) => sum + end, 0)) break
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  // Joining the group takes seconds, once: time runs from the first batches that are in.
  const sinkSeconds = seconds(first!.at)
  const sinkRate = (records - first!.read) / sinkSeconds
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
    labelRows(
      Labels.of(
        Array.from({ length: Math.min(rowsPerInsert, records - b * rowsPerInsert) }, (_, j) => ({
          value: labelOf(b * rowsPerInsert + j, 'v2'),
          partition: 0,
          offset: b * rowsPerInsert + j,
        })),
      ).byVersion[0]!,
    ),
  )
  const bareBefore = process.cpuUsage()
  began = performance.now()
  for (const rows of batches)
    await runtime.clickHouse.sql.insertBinary('corpus', ['doc', 'part', label, score, at], rows)
  const bareSeconds = seconds(began)
  const bareCpu = process.cpuUsage(bareBefore)
  console.log({
    records,
    sink: { recordsPerSecond: Math.round(sinkRate), timesTarget: sinkRate / target },
    readingAlone: { recordsPerSecond: Math.round(reading), ratio: sinkRate / reading },
    cpuSeconds: { sink: (cpu.user + cpu.system) / 1e6, bareInserts: (bareCpu.user + bareCpu.system) / 1e6 },
    bareInserts: { rowsPerSecond: Math.round(records / bareSeconds), ratio: (sinkRate * bareSeconds) / records },
    histogram: await histogramSeconds(),
    peakMiB: process.resourceUsage().maxRSS / 1024,
  })
} finally {
  await runtime.close()
  await cluster.stop()
  rmSync(folder, { recursive: true })
}
