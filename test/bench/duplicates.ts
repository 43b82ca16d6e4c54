/**
 * How fast documents are sketched for near duplicates (docs/duplicates.md), beside how fast they are ingested: ingest alone, ingest with the station at work beside it in a process of its own, until it
 * has caught up, and sketching alone, in one thread. One document in a hundred is an earlier one with a word changed: how many of these share a band with it, and how many that do were not
 * planted. Run by hand on a quiet machine: node test/bench/duplicates.ts [documents]. The target is 0.8 of the rate of ingest alone.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { type Sketch, topics } from '../../schemas/index.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime, type Runtime } from '../../services/connections/connections.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { noProgress } from '../../services/ingest/progress.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { consumerGroupOf } from '../../services/runtime/consumer-groups.ts'
import { createLog } from '../../services/runtime/log.ts'
import { duplicatesStation } from '../../topologies/dataflow.ts'
import { Sketcher, sketchDefaults, sketchVersion } from '../../topologies/duplicates/sketch.ts'
import { mix32 } from '../../topologies/hash.ts'
import { parityRun } from '../support/memory-runtime.ts'
import { startStation, stopStation } from './station.ts'

const documents = Number(process.argv[2] ?? 500_000)
const wordsOfDocument = 250
const plantedEvery = 100
const target = 0.8

/** The n-th number of a row below `below`. */
const numberOf = (row: number, n: number, below: number) => mix32(Math.imul(row, 0x9e3779b1) ^ mix32(n)) % below
/** The k-th word is about 1 / k as frequent as the first. */
const wordOf = (row: number, n: number) =>
  `w${Math.floor(50_000 ** (numberOf(row, n, 1_000_000) / 1_000_000)).toString(36)}`
const wordsOf = (row: number) => Array.from({ length: wordsOfDocument }, (_, n) => wordOf(row, n))
/** Of a planted row the one that it is a copy of: one that is none itself. */
const originalOf = (row: number) => (row >= plantedEvery && row % plantedEvery === 7 ? row - 7 : undefined)
const textOf = (row: number): string => {
  const words = wordsOf(originalOf(row) ?? row)
  if (originalOf(row) !== undefined) words[numberOf(row, -1, wordsOfDocument)] = 'changed'
  return words.join(' ')
}
const planted = Array.from({ length: documents }, (_, row) => row).filter((row) => originalOf(row) !== undefined)

const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const config = loadConfig({ folder, env: {}, dataFolder: join(folder, 'data') })
const log = createLog('bench', 'warn')
const version = sketchVersion(sketchDefaults)
const run = parityRun('bench', { duplicates: { atMost: 1 } })
const file = join(folder, 'rows.jsonl')
let bytes = 0
writeFileSync(file, '')
for (let from = 0; from < documents; from += 10_000) {
  const rows = Array.from({ length: Math.min(10_000, documents - from) }, (_, i) => textOf(from + i))
  bytes += rows.reduce((sum, text) => sum + text.length, 0)
  writeFileSync(file, rows.map((text) => `${JSON.stringify({ text })}\n`).join(''), { flag: 'a' })
}
console.log(`${documents} documents, ${(bytes / 1e6).toFixed(0)} MB of text, ${planted.length} planted`)

const since = (began: number) => (performance.now() - began) / 1000

function alone(): void {
  const sketcher = new Sketcher(sketchDefaults)
  const texts = Array.from({ length: Math.min(documents, 20_000) }, (_, row) => textOf(row))
  const characters = texts.reduce((sum, text) => sum + text.length, 0)
  const began = performance.now()
  for (const text of texts) sketcher.keysOf(text)
  console.log(`sketching alone, one thread: ${(characters / 1e6 / since(began)).toFixed(0)} MB/s`)
}

async function untilSketched({ kafka }: Runtime): Promise<void> {
  const { name } = topics.documents
  const group = consumerGroupOf(duplicatesStation, { versions: { sketches: version } })
  const ends = await kafka.endOffsets(name)
  const left = async () => {
    const read = await kafka.committedOffsets(group, name)
    return ends.some((end, partition) => (read[partition] ?? 0) < end)
  }
  while (await left()) await sleep(20)
}

/** Documents by band key: those that share one with an earlier document. */
async function report({ kafka, codec }: Runtime): Promise<void> {
  const first = new Map<number, number>()
  const found = new Set<number>()
  let others = 0
  for await (const records of kafka.read(topics.sketches.name))
    for (const { value } of records) {
      const { docId, keys } = (await codec.decode(value!)).value as Sketch
      const row = Number(docId & 0xffffffffn)
      for (const key of keys) {
        const before = first.get(Number(key))
        if (before === undefined) first.set(Number(key), row)
        else if ((originalOf(row) ?? row) === (originalOf(before) ?? before)) found.add(Math.max(row, before))
        else others++
      }
    }
  console.log(
    `${((100 * found.size) / planted.length).toFixed(2)}% of the planted found; ${others} keys shared by others`,
  )
}

/** @returns documents a second, with the station caught up */
async function ingesting(withStation: boolean): Promise<number> {
  const dataFolder = join(folder, withStation ? 'with' : 'without')
  const cluster = await startCluster({ dataFolder, log })
  const runtime = await openRuntime(cluster, log)
  await createCorpusTopics(runtime.kafka, config)
  if (withStation) await submitRun(runtime, run)
  const station = withStation ? await startStation('duplicates', cluster, folder) : undefined
  const began = performance.now()
  await ingest({ ...runtime, paths: [file], clock: systemClock, progress: noProgress })
  if (withStation) await untilSketched(runtime)
  const rate = documents / since(began)
  console.log(
    `${withStation ? 'with' : 'without'} the station: ${rate.toFixed(0)} documents/s, ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`,
  )
  if (withStation) await report(runtime)
  if (station !== undefined) await stopStation(station)
  await runtime.close()
  await cluster.stop()
  return rate
}

alone()
const without = await ingesting(false)
const beside = await ingesting(true)
rmSync(folder, { recursive: true, force: true })
console.log(`${(beside / without).toFixed(2)} of the rate of ingest alone; the target is ${target}`)
