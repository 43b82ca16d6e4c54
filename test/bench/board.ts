/**
 * How soon the board shows what it should: first view of a fresh browser, and a record from its acknowledgement to its number on the page.
 * `node test/bench/board.ts`: starts a cluster of its own; needs Chromium.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { topics } from '../../schemas/index.ts'
import { startBoard } from '../../services/board/board.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime } from '../../services/connections/connections.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { createLog } from '../../services/runtime/log.ts'
import { closeAll, type Service } from '../../services/runtime/service.ts'
import { openBrowser } from '../support/browser.ts'
import { testRun } from '../support/run.ts'

const views = 5
const records = 30

const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-board-'))
const log = createLog('bench', 'warn')
const opened: Service[] = []
try {
  const cluster = await startCluster({ dataFolder: folder, log, progress: (line) => console.error(line) })
  opened.push({ name: 'cluster', close: () => cluster.stop() })
  const runtime = await openRuntime(cluster, log)
  opened.push({ name: 'runtime', close: () => runtime.close() })
  await createCorpusTopics(runtime.kafka, loadConfig({ folder, env: {} }))
  await submitRun(runtime, testRun('bench'))
  const board = await startBoard(runtime, { port: 0 })
  opened.push(board)
  // Until the board has read the log once.
  await new Promise((resolve) => setTimeout(resolve, 4000))

  const firstViewMs: number[] = []
  for (let i = 0; i < views; i++) {
    const browser = await openBrowser()
    const page = await browser.newPage()
    const began = performance.now()
    await page.goto(board.url)
    await page.waitForSelector('.flow .station')
    firstViewMs.push(performance.now() - began)
    await browser.close()
  }
  report('first view, fresh browser to drawn dataflow', firstViewMs)

  const browser = await openBrowser()
  opened.push({ name: 'browser', close: () => browser.close() })
  const page = await browser.newPage()
  await page.goto(board.url)
  await page.waitForSelector('.topics tbody tr')
  const producer = await runtime.kafka.producer()
  opened.push({ name: 'producer', close: () => producer.close() })
  const liveMs: number[] = []
  for (let i = 1; i <= records; i++) {
    await producer.send([{ topic: topics.documents.name, key: 'k', value: Buffer.from('v') }])
    const began = performance.now()
    await page.locator('.topics tbody tr:has(a:text-is("documents")) td:nth-child(4)', { hasText: String(i) }).waitFor()
    liveMs.push(performance.now() - began)
    // Not in step with the board's own rhythm.
    await new Promise((resolve) => setTimeout(resolve, 137 * (i % 5)))
  }
  report('a record, acknowledged to shown', liveMs)
} finally {
  await closeAll(opened)
  rmSync(folder, { recursive: true, force: true })
}

function report(what: string, values: number[]): void {
  const sorted = [...values].sort((a, b) => a - b)
  const [median, last] = [sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!]
  console.log(`${what}: median ${median.toFixed(0)} ms, slowest ${last.toFixed(0)} ms of ${values.length}`)
}
