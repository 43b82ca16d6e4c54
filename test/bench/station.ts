import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime, type Runtime } from '../../services/connections/connections.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { noProgress } from '../../services/ingest/progress.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { createLog } from '../../services/runtime/log.ts'
import { mostMiB } from '../soak/memory.ts'

/** `winnow run KIND` in a process of its own, as on a cluster, once it runs. */
async function startStation(
  kind: Bench['kind'],
  { brokers, registryUrl, clickhouseUrl }: Awaited<ReturnType<typeof startCluster>>,
  folder: string,
): Promise<ChildProcess> {
  const endpoints = {
    WINNOW_BROKERS: brokers.join(','),
    WINNOW_REGISTRY_URL: registryUrl,
    WINNOW_CLICKHOUSE_URL: clickhouseUrl,
  }
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../deploy/bin.mjs'), 'run', kind], {
    cwd: folder,
    env: { ...process.env, ...endpoints, WINNOW_METRICS_PORT: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  for await (const line of createInterface({ input: child.stderr })) if (line.startsWith('running:')) break
  child.stderr.resume()
  return child
}

/** A station of the corpus that is measured beside ingest. */
export interface Bench {
  readonly kind: 'duplicates' | 'decontamination'
  readonly documents: number
  readonly textOf: (row: number) => string
  /** What of the test is in the texts, in words. */
  readonly planted: () => string
  /** The station's work on one text. */
  readonly work: (text: string) => unknown
  /** Records what the station is to do. */
  readonly prepare: (runtime: Runtime) => Promise<void>
  /** Resolves once the station has caught up. */
  readonly caughtUp: (runtime: Runtime) => Promise<void>
  /** What it found, in words. */
  readonly found: (runtime: Runtime) => Promise<string>
}

const target = 0.8
const since = (began: number) => (performance.now() - began) / 1000

/** Prints the rate of the work alone in one thread, of ingest alone, and of ingest with the station beside it until it has caught up. */
export async function measureStation(bench: Bench): Promise<void> {
  const { kind, documents, textOf, planted, work } = bench
  const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
  const file = join(folder, 'rows.jsonl')
  let bytes = 0
  writeFileSync(file, '')
  for (let from = 0; from < documents; from += 10_000) {
    const rows = Array.from({ length: Math.min(10_000, documents - from) }, (_, i) => textOf(from + i))
    bytes += rows.reduce((sum, text) => sum + text.length, 0)
    writeFileSync(file, rows.map((text) => `${JSON.stringify({ text })}\n`).join(''), { flag: 'a' })
  }
  console.log(`${documents} documents, ${(bytes / 1e6).toFixed(0)} MB of text, ${planted()}`)

  const texts = Array.from({ length: Math.min(documents, 20_000) }, (_, row) => textOf(row))
  const characters = texts.reduce((sum, text) => sum + text.length, 0)
  const began = performance.now()
  for (const text of texts) work(text)
  console.log(`${kind} alone, one thread: ${(characters / 1e6 / since(began)).toFixed(0)} MB/s`)

  const without = await ingesting(bench, folder, file, false)
  const beside = await ingesting(bench, folder, file, true)
  rmSync(folder, { recursive: true, force: true })
  console.log(`${(beside / without).toFixed(2)} of the rate of ingest alone; the target is ${target}`)
}

/** @returns documents a second, with the station caught up */
async function ingesting(
  { kind, documents, prepare, caughtUp, found }: Bench,
  folder: string,
  file: string,
  withStation: boolean,
): Promise<number> {
  const dataFolder = join(folder, withStation ? 'with' : 'without')
  const log = createLog('bench', 'warn')
  const cluster = await startCluster({ dataFolder, log })
  const runtime = await openRuntime(cluster, log)
  await createCorpusTopics(runtime.kafka, loadConfig({ folder, env: {}, dataFolder: join(folder, 'data') }))
  if (withStation) await prepare(runtime)
  const station = withStation ? await startStation(kind, cluster, folder) : undefined
  const began = performance.now()
  await ingest({ ...runtime, paths: [file], clock: systemClock, progress: noProgress })
  if (withStation) await caughtUp(runtime)
  const rate = documents / since(began)
  const most = station === undefined ? '' : `, at most ${mostMiB(station.pid!).toFixed(0)} MiB in the station's process`
  console.log(`${withStation ? 'with' : 'without'} the station: ${rate.toFixed(0)} documents/s${most}`)
  if (withStation) console.log(await found(runtime))
  if (station !== undefined) {
    station.kill('SIGTERM')
    await once(station, 'exit')
  }
  await runtime.close()
  await cluster.stop()
  // 10^7 documents would be on the disk twice.
  rmSync(dataFolder, { recursive: true, force: true })
  return rate
}
