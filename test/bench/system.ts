/**
 * Speed and memory of the running system on this machine, each as a ratio to its limit (issue: two cores, 24 GiB).
 * Run by hand on a quiet machine: node test/bench/system.ts
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildDemoCorpus, sourceNames } from '../../deploy/demo/corpus.ts'
import { demoRuns, referenceDefault } from '../../deploy/demo/runs.ts'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime } from '../../services/connections/connections.ts'
import { startCorpus } from '../../services/host/corpus.ts'
import { startRunHost } from '../../services/host/run-host.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { noProgress } from '../../services/ingest/progress.ts'
import { labelProgress } from '../../services/runs/label-progress.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { createLog } from '../../services/runtime/log.ts'
import { closeAll } from '../../services/runtime/service.ts'

const limits = { readySeconds: 12, idleGiB: 1.5, documentsPerSecond: 1000, reselectionSeconds: 2, demoGiB: 4 }
const log = createLog('bench', 'error')
const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const seconds = (since: number) => (performance.now() - since) / 1000
const report = (what: string, value: number, unit: string, limit: number, atLeast = false) => {
  const ratio = atLeast ? value / limit : limit / value
  console.log(`${what}: ${value.toFixed(2)} ${unit}; limit ${limit}, ${ratio.toFixed(2)} times better`)
}

/** Resident memory of this process and its children, the broker's and registry's. */
function residentGiB(pids: readonly number[]): number {
  const kib = [process.pid, ...pids].map((pid) => {
    try {
      return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
    } catch {
      return 0
    }
  })
  return kib.reduce((sum, one) => sum + one, 0) / 1024 ** 2
}

try {
  const manifest = buildDemoCorpus(join(folder, 'texts'))
  const config = {
    ...loadConfig({ folder, env: {}, dataFolder: join(folder, 'data') }),
    actors: loadConfig({ folder, env: {} }).actors.map((actor) =>
      actor.name === 'domain' ? { ...actor, subcategories: [...sourceNames] } : actor,
    ),
  }
  // The first start fills caches and formats the log: the second one is what a person waits for.
  await (await startCluster({ dataFolder: config.dataFolder, log })).stop()
  let began = performance.now()
  const cluster = await startCluster({ dataFolder: config.dataFolder, log })
  const runtime = await openRuntime(cluster, log)
  await createCorpusTopics(runtime.kafka, config)
  const fail = (error: unknown) => {
    throw error
  }
  const corpus = await startCorpus(runtime, config, fail)
  report('winnow dev ready, warm', seconds(began), 's', limits.readySeconds)
  await new Promise((resolve) => setTimeout(resolve, 10_000))
  report('idle memory of all processes', residentGiB(cluster.pids), 'GiB', limits.idleGiB)

  began = performance.now()
  await ingest({ ...runtime, paths: manifest.corpus.files, clock: Date.now, progress: noProgress })
  const ingested = seconds(began)
  const versions = new Map(Object.entries(corpus.versions))
  while ((await labelProgress(runtime, versions)).complete < manifest.corpus.documents) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  console.log(`ingest alone: ${(manifest.corpus.documents / ingested).toFixed(0)} documents/s`)
  report(
    'ingest, three labels and sink',
    manifest.corpus.documents / seconds(began),
    'documents/s',
    limits.documentsPerSecond,
    true,
  )

  const closedAt = new Map<string, number>()
  const reselections: number[] = []
  let memoryMax = 0
  const watching = setInterval(() => (memoryMax = Math.max(memoryMax, residentGiB(cluster.pids))), 500)
  const { collaborative, control } = demoRuns({
    seed: 7,
    steps: 140,
    actors: config.actors,
    versions: corpus.versions,
    manifest,
    folder,
    reference: referenceDefault,
  })
  const done = Promise.withResolvers<void>()
  let left = 2
  const host = await startRunHost(runtime, {
    onFailure: done.reject,
    onDone: () => --left === 0 && done.resolve(),
    hooksOf: (run) => ({
      onConsole: (event) => {
        if (event.kind === 'closed') closedAt.set(`${run.name}/${event.round}`, performance.now())
        if (event.kind === 'selected') reselections.push(seconds(closedAt.get(`${run.name}/${event.manifest.round}`)!))
      },
    }),
  })
  for (const run of [collaborative, control]) await submitRun(runtime, run)
  await done.promise
  clearInterval(watching)
  const sorted = reselections.sort((a, b) => a - b)
  console.log(`reselections: ${sorted.length}, median ${sorted[Math.floor(sorted.length / 2)]!.toFixed(2)} s`)
  report(
    'slowest reselection, round closed to selection committed, while two models train',
    sorted.at(-1)!,
    's',
    limits.reselectionSeconds,
  )
  report('largest memory of all processes during both runs', memoryMax, 'GiB', limits.demoGiB)
  await host.close()
  await closeAll(corpus.services)
  await runtime.close()
  await cluster.stop()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
