/**
 * What each step of a round costs as the corpus grows: from the table sorted for drawing, by scans of the wide table as it was before, and in
 * pure Python that scores every line. Three actors with 5, 7 and 13 subcategories; a tenth of the documents is selected. ClickHouse, the
 * console and what flows in meanwhile are processes of their own. Every way must select the same documents in the same order.
 * Run by hand on a quiet machine: node test/bench/scale.ts [documents...] (default 10^6 10^7 10^8)
 *
 * One size after the other, each on tables of its own that are removed after it, so the largest one decides how much disk is needed: 150 bytes a
 * document. What a size measured is kept in artifacts/scale.jsonl: a run that was cut off goes on with the sizes that are missing there and
 * prints the table of all. Remove the file to begin anew.
 */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { openRuntime } from '../../services/connections/connections.ts'
import { createLog } from '../../services/runtime/log.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import { consoleRound, reselectInPython, start } from './scale/children.ts'
import { asOf, fill, linesOf, scaleRun } from './scale/corpus.ts'
import { type Round, type RoundOptions, timed } from './scale/round.ts'
import { type Measured, report } from './scale/table.ts'

const sizes = process.argv.slice(2).map(Number)
if (sizes.some((documents) => !(documents >= 1000))) throw new Error('node test/bench/scale.ts [documents...]')
const kept = join(import.meta.dirname, '../../artifacts/scale.jsonl')
/** The wide table, the one sorted for draws, what merging needs beside them, and the topic of a selection. */
const bytesPerDocument = 150
const scannedMax = 10_000_000
const pythonMax = 1_000_000
/** From here on a round that selects half of the corpus is measured too: 50 million ids of 10^8. */
const halfFrom = 100_000_000
const log = createLog('bench', 'warn')
const tell = (what: string, more: object = {}) => console.log(what, JSON.stringify(more))

async function measure(documents: number): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
  const server = start('server.ts', join(folder, 'clickhouse'))
  try {
    const [clickhouseUrl] = await new Promise<[string]>((resolve) =>
      server.lines.once('line', (line) => resolve([line])),
    )
    const env = { ...process.env, WINNOW_CLICKHOUSE_URL: clickhouseUrl }
    const cluster = await startCluster({ dataFolder: join(folder, 'data'), log, env })
    const addresses = { brokers: cluster.brokers, registryUrl: cluster.registryUrl, clickhouseUrl }
    try {
      return await measureOn(addresses, documents)
    } finally {
      await cluster.stop()
    }
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measureOn(addresses: RoundOptions['addresses'], documents: number): Promise<Measured> {
  const runtime = await openRuntime(addresses, log)
  const { store, clickHouse } = runtime
  const columns = columnsOf(scaleRun(1))
  const sort = async (share: number) => {
    const options = { columns, labelOffsets: asOf(Math.floor(documents * share)), readsOf: null, draws: true }
    return (await timed(() => store.view(options)))[0]
  }
  const [filling] = await timed(() => fill(clickHouse.sql, store, documents))
  const sorting = { first: await sort(0.99), percent: await sort(1) }
  tell(`${documents} documents: filled and sorted`, { filling, ...sorting })
  const options = { addresses, documents, selected: Math.floor(documents / 10), turns: 5 }
  const rounds: Partial<Record<'sorted' | 'wide' | 'topic' | 'inflow' | 'half', Round>> = {}
  const round = async (name: keyof typeof rounds, more: Partial<RoundOptions> = {}) => {
    rounds[name] = await consoleRound({ ...options, tables: 'sorted', ...more })
    const { theta: _, weights: __, ...shown } = rounds[name]
    tell(`${documents} documents: ${name}`, shown)
    return rounds[name]
  }
  const sorted = await round('sorted')
  await round('topic', { topic: 'compared' })
  const python = documents > pythonMax ? undefined : await inPython(runtime, options.selected, documents, sorted)
  if (documents <= scannedMax) await round('wide', { tables: 'wide', turns: 1 })
  if (documents >= halfFrom) await round('half', { topic: 'compared', selected: Math.floor(documents / 2), turns: 1 })
  const inflow = start('inflow.ts', JSON.stringify({ clickhouseUrl: addresses.clickhouseUrl, from: documents }))
  let came = { documents: 0, seconds: 1 }
  inflow.lines.on('line', (line) => {
    came = JSON.parse(line)
  })
  await round('inflow', { topic: 'written' })
  await inflow.stop()
  tell(`${documents} documents: came meanwhile`, came)
  await runtime.close()
  const digests = [sorted, rounds.topic, rounds.wide, rounds.inflow, python].flatMap((one) => one?.digest ?? [])
  if (new Set(digests).size > 1)
    throw new Error(`${documents} documents: not the same selection: ${digests.join(', ')}`)
  return { documents, selected: options.selected, sorting, rounds, python: python?.seconds, came }
}

async function inPython(
  { clickHouse }: Awaited<ReturnType<typeof openRuntime>>,
  selected: number,
  documents: number,
  by: Round,
) {
  const python = reselectInPython(await linesOf(clickHouse.sql, documents), selected, by)
  tell(`${documents} documents: Python`, python)
  return python
}

function assertRoom(documents: number): void {
  const { bavail, bsize } = statfsSync(tmpdir())
  const [free, needed] = [bavail * bsize, documents * bytesPerDocument]
  if (free < needed)
    throw new Error(
      `${documents} documents need ${Math.ceil(needed / 1e9)} GB in ${tmpdir()}, which has ${Math.floor(free / 1e9)}: free some, or set TMPDIR`,
    )
}

/** What earlier runs have measured. */
const measured: Measured[] = existsSync(kept)
  ? readFileSync(kept, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Measured)
  : []
mkdirSync(dirname(kept), { recursive: true })
for (const documents of sizes.length > 0 ? sizes : [1_000_000, 10_000_000, 100_000_000]) {
  if (measured.some((one) => one.documents === documents)) {
    tell(`${documents} documents: measured before`, { file: kept })
    continue
  }
  assertRoom(documents)
  const one = await measure(documents)
  appendFileSync(kept, `${JSON.stringify(one)}\n`)
  measured.push(one)
}
console.log(report(measured.toSorted((a, b) => a.documents - b.documents)))
process.exit(0)
