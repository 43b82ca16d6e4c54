/**
 * How soon it is known what a checkpoint has read (docs/accountability.md), beside reading the selection's stream from end to end, as it is done without an
 * index. Run by hand on a quiet machine: node test/bench/exposure.ts [documents]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCluster } from '../../deploy/dev/cluster.ts'
import {
  asDocumentId,
  type Manifest,
  Progress,
  RoundAdopted,
  runTopics,
  topics as shared,
} from '../../schemas/index.ts'
import { createRunTopics, definitionOf, openRuntime } from '../../services/connections/connections.ts'
import { columnNames } from '../../services/corpus/columns.ts'
import { prove } from '../../services/runs/exposure/prove.ts'
import { seenBy } from '../../services/runs/exposure/seen.ts'
import { checkpointMeant, trainedOn } from '../../services/runs/exposure/trained.ts'
import { readTraining } from '../../services/runs/exposure/training.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { createLog } from '../../services/runtime/log.ts'
import { KafkaOutput } from '../../services/runtime/output.ts'
import { selectionsOf } from '../../services/selections/chunks.ts'
import { emissionLayout, emitSelection } from '../../topologies/console/emitting.ts'
import { verifyProof } from '../../topologies/exposure/proof.ts'
import { sortByOrderKey } from '../../topologies/selection/mix.ts'
import { seedOf } from '../../topologies/selection/u64.ts'
import { parityRun } from '../support/memory-runtime.ts'

const documents = Number(process.argv[2] ?? 10_000_000)
const tokens = 200
const run = parityRun('bench')
const topics = runTopics(run.name)
const orderSeed = seedOf(run.selection.seed, 0, 'order')
const log = createLog('bench', 'warn')
const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const cluster = await startCluster({ dataFolder: join(folder, 'data'), log })
const runtime = await openRuntime(cluster, log)

/** In emission order: rows of a hundred sources. */
const ids = sortByOrderKey(
  BigUint64Array.from({ length: documents }, (_, i) => (BigInt(i % 100) << 40n) + BigInt(Math.floor(i / 100))),
  orderSeed,
)

async function timed<Result>(work: () => Promise<Result>): Promise<{ seconds: number; result: Result }> {
  const began = performance.now()
  const result = await work()
  return { seconds: (performance.now() - began) / 1000, result }
}

async function writeCorpus(): Promise<void> {
  const { sql } = runtime.clickHouse
  const version = run.labelers.parity!
  await runtime.store.ensureColumns('parity', version)
  const { label } = columnNames({ actor: 'parity', version })
  for (let from = 0; from < documents; from += 2 ** 20) {
    const some = ids.subarray(from, from + 2 ** 20)
    const rows = BigUint64Array.from({ length: 2 * some.length }, (_, i) =>
      i % 2 === 0 ? BigInt(i) : some[(i - 1) / 2]!,
    )
    await sql.insertBinary('exposure_ids', ['idx', 'doc'], new Uint8Array(rows.buffer))
    await sql.command(
      `INSERT INTO corpus (doc, part, tokens, at_document, ${label}) SELECT doc, 0, ${tokens}, 1, doc % 2 FROM exposure_ids WHERE run = ''`,
    )
    await sql.command('TRUNCATE TABLE exposure_ids')
  }
}

async function writeRun(): Promise<Manifest> {
  await runtime.kafka.createTopics(
    Object.values(shared).map((spec) => definitionOf(spec, { partitions: 1, recordBytesMax: 2 ** 20 })),
  )
  await createRunTopics(runtime.kafka, run)
  await submitRun(runtime, run)
  const output = await KafkaOutput.open({ ...runtime, transactionalId: 'bench' })
  const manifest = {
    ...{ run: run.name, round: 0, step: 0, actors: ['parity'], theta: [1], weights: [[0, 0]], actorRewards: [null] },
    ...{ documents, tokens: documents * tokens, threshold: null, marginal: null, strata: null, histogramDigest: '' },
    ...{ labelOffsets: [], chunkDocuments: emissionLayout.chunkDocuments },
  }
  async function* all() {
    yield* [ids]
  }
  const written = await emitSelection(output, { manifest, ids: all() })
  const report = { run: run.name, step: 1000, round: 0, tokens: documents * (tokens + 1) - 1, position: documents }
  const checkpoint = { path: 'step-1000', digest: 'd'.repeat(64), step: 1000 }
  await output.send([
    {
      ...{ topic: topics.progress.name, record: RoundAdopted, key: run.name },
      value: { run: run.name, round: 0, step: 0, sequenceFirst: 0, previousRound: null, previousRead: null },
    },
    {
      ...{ topic: topics.progress.name, record: Progress, key: run.name },
      value: { ...report, trainLoss: null, referenceLoss: null, corpusLoss: null, checkpoint },
    },
  ])
  await output.close()
  return written
}

try {
  await writeCorpus()
  const manifest = await writeRun()
  const selections = selectionsOf(runtime)
  const ask = async () => {
    const training = await readTraining(runtime, run.name, await runtime.kafka.topicNames())
    const report = checkpointMeant(training, run.name)
    return await trainedOn({ runtime, run, training, selections, sources: new Map() }, report)
  }
  const whole = await timed(async () => {
    let count = 0
    for await (const some of selections.selection(manifest, 0)) count += some.length
    return count
  })
  const first = await timed(ask)
  const again = await timed(ask)
  const looked = await timed(async () => {
    for (let i = 0; i < 20; i++) {
      const [seen] = await seenBy(runtime, asDocumentId(ids[Math.floor((i / 20) * documents)]!), [run])
      if (seen?.checkpoints[0]?.times !== 1) throw new Error('a document that was read is not found')
    }
  })
  const proven = await timed(() => prove(selections, manifest, run.selection.seed, asDocumentId(ids[7]!)))
  if (verifyProof(proven.result, manifest.selectionRoot!) !== 7) throw new Error('the proof is of another document')
  if (first.result.tokens !== again.result.tokens || !again.result.addsUp) throw new Error('tokens do not add up')
  const line = (what: string, seconds: number) =>
    console.log(
      `${what.padEnd(46)} ${seconds.toFixed(2)} s  ${(seconds / whole.seconds).toFixed(3)} of reading the stream`,
    )
  console.log(`${documents} documents read`)
  line('the stream from end to end', whole.seconds)
  line('winnow trained, the first time', first.seconds)
  line('winnow trained, again', again.seconds)
  line('winnow seen', looked.seconds / 20)
  line('winnow prove', proven.seconds)
  console.log(`memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MB at most`)
} finally {
  await runtime.close()
  await cluster.stop()
  rmSync(folder, { recursive: true, force: true })
}
