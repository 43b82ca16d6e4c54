/**
 * How fast documents are compared with evaluation sets (docs/decontamination.md), beside how fast they are ingested: ingest alone, ingest with the station at work beside it in a
 * process of its own, until it has caught up, and the comparison alone, in one thread. Items are planted in one document in a thousand; recall and precision are checked.
 * Run by hand on a quiet machine: node test/bench/decontamination.ts [documents] [items]. The target is 0.8 of the rate of ingest alone.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { type Exclusion, topics } from '../../schemas/index.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime } from '../../services/connections/connections.ts'
import { checkedOf } from '../../services/host/decontamination.ts'
import { readEvalSets } from '../../services/host/eval-sets.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { noProgress } from '../../services/ingest/progress.ts'
import { addEvalSet } from '../../services/runs/eval-sets/record.ts'
import { readTopic } from '../../services/runs/recorded.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { createLog } from '../../services/runtime/log.ts'
import { ContaminationFilter } from '../../topologies/decontamination/filter.ts'
import { mix32 } from '../../topologies/hash.ts'
import { startStation, stopStation } from './station.ts'

const documents = Number(process.argv[2] ?? 500_000)
const itemCount = Number(process.argv[3] ?? 20_000)
const wordsOfDocument = 250
const plantedEvery = 1000
const target = 0.8

let count = 0
const next = (n: number) => mix32(Math.imul(count++, 0x9e3779b1)) % n
/** The k-th word is about 1 / k as frequent as the first. */
const words = (of: number) =>
  Array.from({ length: of }, () => `w${Math.floor(50_000 ** (next(1_000_000) / 1_000_000)).toString(36)}`)
const items = Array.from({ length: itemCount }, () => words(20 + next(80)).join(' '))
const planted = new Set<number>()
const textOf = (row: number): string => {
  const all = words(wordsOfDocument)
  if (row % plantedEvery === 7) {
    planted.add(row)
    all.splice(next(all.length), 0, items[next(itemCount)]!.toUpperCase())
  }
  return all.join(' ')
}

const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const config = loadConfig({ folder, env: {}, dataFolder: join(folder, 'data') })
const log = createLog('bench', 'warn')
const file = join(folder, 'rows.jsonl')
let bytes = 0
writeFileSync(file, '')
for (let from = 0; from < documents; from += 10_000) {
  const rows = Array.from({ length: Math.min(10_000, documents - from) }, (_, i) => textOf(from + i))
  bytes += rows.reduce((sum, text) => sum + text.length, 0)
  writeFileSync(file, rows.map((text) => `${JSON.stringify({ text })}\n`).join(''), { flag: 'a' })
}
const megabytes = bytes / 1e6
console.log(`${documents} documents, ${megabytes.toFixed(0)} MB of text, ${planted.size} planted, ${itemCount} items`)

const set = { name: 'bench', ngram: 13, share: 0.5, items, by: 'bench', origin: 'bench' }
const since = (began: number) => (performance.now() - began) / 1000

function alone(): void {
  const filter = new ContaminationFilter([set])
  const texts = Array.from({ length: Math.min(documents, 20_000) }, (_, row) => textOf(row))
  const characters = texts.reduce((sum, text) => sum + text.length, 0)
  const began = performance.now()
  for (const text of texts) filter.match(text)
  console.log(`comparison alone, one thread: ${(characters / 1e6 / since(began)).toFixed(0)} MB/s`)
}

/** @returns documents a second, with the station caught up */
async function ingesting(withStation: boolean): Promise<number> {
  const dataFolder = join(folder, withStation ? 'with' : 'without')
  const cluster = await startCluster({ dataFolder, log })
  const runtime = await openRuntime(cluster, log)
  await createCorpusTopics(runtime.kafka, config)
  if (withStation) await addEvalSet(runtime, set)
  const station = withStation ? await startStation('decontamination', cluster, folder) : undefined
  const began = performance.now()
  await ingest({ ...runtime, paths: [file], clock: systemClock, progress: noProgress })
  const sets = await readEvalSets(runtime)
  while ((await checkedOf(runtime, sets)) < 1) await sleep(20)
  const rate = documents / since(began)
  if (withStation) {
    const found = (await readTopic(runtime, topics.exclusions.name)).map(({ value }) => value as Exclusion)
    const rows = new Set(found.map(({ docId }) => Number(docId & 0xffffffffffn)))
    const right = [...rows].filter((row) => planted.has(row)).length
    console.log(`recall ${right / planted.size}, precision ${right / rows.size}`)
  }
  if (station !== undefined) await stopStation(station)
  await runtime.close()
  await cluster.stop()
  return rate
}

alone()
const without = await ingesting(false)
const beside = await ingesting(true)
rmSync(folder, { recursive: true, force: true })
const ratio = beside / without
console.log(`ingest alone ${without.toFixed(0)} documents/s, with the station beside it ${beside.toFixed(0)}`)
console.log(`${ratio.toFixed(2)} of the rate of ingest alone; the target is ${target}`)
