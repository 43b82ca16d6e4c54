/** What a console does for one round, step by step, in a process of its own. Prints the seconds of each step and its own memory as JSON. */
import { createHash } from 'node:crypto'
import { runTopics } from '../../../schemas/index.ts'
import { openRuntime } from '../../../services/connections/connections.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { ClickHouseCorpus } from '../../../services/corpus/clickhouse-view.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { KafkaOutput } from '../../../services/runtime/output.ts'
import { emitSelection } from '../../../topologies/console/emitting.ts'
import { decideSelection, viewOptions } from '../../../topologies/console/selecting.ts'
import type { ViewOptions } from '../../../topologies/corpus-store.ts'
import type { Corpus } from '../../../topologies/selection/corpus.ts'
import { seedOf } from '../../../topologies/selection/u64.ts'
import { kafkajsAlone } from '../kafkajs-alone.ts'
import { asOf, scaleRun } from './corpus.ts'
import { type Round, type RoundOptions, timed } from './round.ts'

const options = JSON.parse(process.argv[2]!) as RoundOptions
const samplesPerSubcategory = 20
const round = 1

/** The tables of before: every question scans the wide one. */
class WideStore extends ClickHouseStore {
  override async view(view: ViewOptions): Promise<Corpus> {
    return new ClickHouseCorpus(runtime.clickHouse.sql, view)
  }
}

const runtime = await openRuntime(options.addresses, createLog('bench', 'warn'))
const run = scaleRun(options.selected)
const { actors } = run.selection
const store = options.tables === 'wide' ? new WideStore(runtime.clickHouse.sql) : runtime.store
const labelOffsets = asOf(options.documents)
const weights = actors.map(({ subcategories }, a) => subcategories.map((_, j) => Math.sin(a * 13 + j)))
const none = { ...{ run: run.name, round, step: 10, checkpointPath: null, checkpointDigest: null, previousRead: null } }
const opened = {
  ...none,
  labelOffsets,
  samples: [],
  deadlineMs: null,
  changes: [],
  promoted: null,
  steered: [],
  reads: [],
  otherText: null,
}
const actorStates = actors.map(({ name, subcategories }, a) => ({
  ...{ run: run.name, actor: name, round, weights: weights[a]!, counts: subcategories.map(() => 20) },
  ...{ rewards: subcategories.map((_, j) => Math.cos(a + j)), everRewarded: [], inputOffsets: [] },
}))
const selections = {
  selection: () => {
    throw new Error('nothing was read')
  },
}
const decide = () => decideSelection({ run, opened, actorStates, history: [], store, selections })

async function samples(): Promise<void> {
  const corpus = await store.view(viewOptions(run, labelOffsets, []))
  for (const [a, { name }] of actors.entries())
    await corpus.samples(a, seedOf(7, round, `sample:${name}`), samplesPerSubcategory)
}

/** The least of several turns: what others do on the machine only ever adds. */
const often = async (work: () => Promise<unknown>) => {
  const seconds: number[] = []
  for (let turn = 0; turn < options.turns; turn++) seconds.push((await timed(work))[0])
  return Math.min(...seconds)
}

/** Ids in emission order, to nowhere: how fast ClickHouse gives them. */
async function drain(): Promise<Pick<Round, 'firstIds' | 'ids' | 'digest'>> {
  const { ids } = await decide()
  const hash = createHash('sha256')
  const began = performance.now()
  let firstIds: number | undefined
  for await (const some of ids) {
    firstIds ??= (performance.now() - began) / 1000
    hash.update(new Uint8Array(some.buffer, some.byteOffset, some.byteLength))
  }
  return { firstIds: firstIds ?? 0, ids: (performance.now() - began) / 1000, digest: hash.digest('hex') }
}

/** The same, written to the topic in parts with its manifest. */
async function emission(): Promise<Pick<Round, 'firstChunk' | 'emission' | 'digest'>> {
  const { selections, consoleState } = runTopics(run.name)
  const one = { partitions: 1, cleanup: 'delete', retentionMs: -1 } as const
  await runtime.kafka.createTopics([selections, consoleState].map(({ name }) => ({ name, ...one })))
  const output = await KafkaOutput.open({ ...runtime, transactionalId: 'scale' })
  const decided = await decide()
  const began = performance.now()
  let firstChunk: number | undefined
  const { selectionDigest } = await emitSelection(
    {
      transaction: (work) =>
        output.transaction((send) =>
          work(async (records) => {
            const landed = await send(records)
            firstChunk ??= (performance.now() - began) / 1000
            return landed
          }),
        ),
    },
    decided,
  )
  const seconds = (performance.now() - began) / 1000
  await output.close()
  return { firstChunk: firstChunk!, emission: seconds, digest: selectionDigest }
}

const histogram = await often(async () => await (await store.view(viewOptions(run, labelOffsets, []))).groups())
const result: Round = {
  histogram,
  samples: await often(samples),
  decide: await often(decide),
  ...(options.topic === undefined ? await drain() : await emission()),
  theta: (await decide()).manifest.theta,
  weights,
  megabytes: process.resourceUsage().maxRSS / 1024,
}
if (options.topic === 'compared') {
  await runtime.kafka.createTopics([{ name: 'scale.bare', partitions: 1, cleanup: 'delete', retentionMs: -1 }])
  result.kafkajsAlone = kafkajsAlone({ ...options.addresses, ...runtime }, 'scale.bare', options.selected)
}
await runtime.close()
console.log(JSON.stringify(result))
process.exit()
