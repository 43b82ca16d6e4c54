/**
 * What a document costs on disk, place by place, and how fast each station takes it on this machine: the unit costs of docs/SIZING.md.
 * Run by hand on a quiet machine: node test/bench/sizing.ts FILE... (source files, as for winnow ingest)
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { labelsTopic, topics } from '../../schemas/index.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime } from '../../services/connections/connections.ts'
import { keptDocuments } from '../../services/corpus/kept-documents.ts'
import { startLabeler, startLabelSink } from '../../services/host/corpus.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { noProgress } from '../../services/ingest/progress.ts'
import { labelProgress } from '../../services/runs/label-progress.ts'
import { createLog } from '../../services/runtime/log.ts'
import { closeAll } from '../../services/runtime/service.ts'

const paths = process.argv.slice(2)
if (paths.length === 0) throw new Error('node test/bench/sizing.ts FILE...')
const log = createLog('bench', 'error')
const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const config = loadConfig({ folder, env: {}, dataFolder: join(folder, 'data') })
const seconds = (since: number) => (performance.now() - since) / 1000

const bytesOf = (path: string): number =>
  statSync(path).isDirectory()
    ? readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0)
    : path.endsWith('.log')
      ? statSync(path).size
      : 0

/** Bytes of a topic's record batches, under a folder that has a folder for each partition somewhere. */
function topicBytes(under: string, topic: string): number {
  let sum = 0
  for (const entry of readdirSync(under, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const path = join(under, entry.name)
    sum += entry.name.startsWith(`${topic}-`) ? bytesOf(path) : topicBytes(path, topic)
  }
  return sum
}

const cluster = await startCluster({ dataFolder: config.dataFolder, log })
const runtime = await openRuntime(cluster, log)
const fail = (error: unknown) => {
  throw error
}
try {
  await createCorpusTopics(runtime.kafka, config)
  let began = performance.now()
  const { sources } = await ingest({ ...runtime, paths, clock: Date.now, progress: noProgress })
  const documents = sources.reduce((sum, source) => sum + (source.documents ?? 0), 0)
  const rates: Record<string, number> = { ingest: seconds(began) }
  const versions = new Map<string, string>()
  const services = []
  for (const actor of config.actors) {
    began = performance.now()
    const labeler = await startLabeler(runtime, config, actor, fail)
    services.push(labeler)
    versions.set(actor.name, labeler.labeler.version)
    const ends = async (topic: string) => (await runtime.kafka.endOffsets(topic)).reduce((sum, end) => sum + end, 0)
    while ((await ends(labelsTopic(actor.name).name)) < documents) await sleep(100)
    rates[`labeler ${actor.name}`] = seconds(began)
  }
  began = performance.now()
  services.push(await startLabelSink(runtime, config, fail))
  while ((await labelProgress(runtime, versions)).complete < documents) await sleep(100)
  rates['label sink'] = seconds(began)
  const columns = [...versions].map(([actor, version]) => ({ actor, version, topic: labelsTopic(actor).name }))
  const labelOffsets = await runtime.store.committed()
  await (await runtime.store.view({ columns, labelOffsets, readsOf: null, draws: true })).groups()
  await runtime.clickHouse.sql.command('OPTIMIZE TABLE corpus FINAL')
  await runtime.clickHouse.sql.command('OPTIMIZE TABLE documents FINAL')

  began = performance.now()
  let kept = 0
  for (const { partition, end } of await runtime.kafka.logsOf(topics.documents.name))
    for await (const some of keptDocuments(runtime.clickHouse.sql, { partition, from: 0, to: end })) kept += some.length
  if (kept !== documents) throw new Error(`${kept} documents of ${documents} are in ClickHouse`)
  rates['documents from ClickHouse, for a new labeler'] = seconds(began)

  const [totals] = await runtime.clickHouse.sql.query<Record<string, string>>(
    'SELECT sum(length(text)) AS text, sum(tokens) AS tokens FROM documents FINAL',
  )
  const tables = await runtime.clickHouse.sql.query<{ table: string; bytes: string }>(
    'SELECT table, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table ORDER BY bytes DESC',
  )
  const each = (bytes: number | string) => (Number(bytes) / documents).toFixed(1)
  console.log(`${documents} documents, ${each(totals!.text!)} bytes of text and ${each(totals!.tokens!)} tokens each`)
  for (const topic of ['winnow.documents', ...config.actors.map(({ name }) => labelsTopic(name).name)])
    console.log(`topic ${topic}: ${each(topicBytes(folder, topic))} bytes each`)
  for (const { table, bytes } of tables) console.log(`table ${table}: ${each(bytes)} bytes each`)
  for (const [what, took] of Object.entries(rates))
    console.log(`${what}: ${Math.round(documents / took)} documents/s, start included`)
  await closeAll(services)
} finally {
  await runtime.close()
  await cluster.stop()
  rmSync(folder, { recursive: true, force: true })
}
