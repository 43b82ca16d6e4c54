/**
 * Ids per second from a decided selection to its topic, and as a ratio to kafkajs alone that writes the same bytes in the same requests and
 * transactions. Run by hand on a quiet machine: node test/bench/emission.ts [ids]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { openRuntime } from '../../services/connections/connections.ts'
import { createLog } from '../../services/runtime/log.ts'
import { KafkaOutput } from '../../services/runtime/output.ts'
import { emissionLayout, emitSelection } from '../../topologies/console/emitting.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'
import { kafkajsAlone } from './kafkajs-alone.ts'

const ids = Number(process.argv[2] ?? 20_000_000)
const { chunkDocuments, partChunks } = emissionLayout
const log = createLog('bench', 'warn')
const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const cluster = await startCluster({ dataFolder: join(folder, 'data'), log })
const runtime = await openRuntime(cluster, log)

/** The same piece again and again: making ids is not what is measured. */
const piece = BigUint64Array.from({ length: 65_536 }, (_, i) => splitmix64(BigInt(i)))
async function* pieces(): AsyncGenerator<BigUint64Array> {
  for (let left = ids; left > 0; left -= piece.length) yield left < piece.length ? piece.subarray(0, left) : piece
}

const topic = { partitions: 1, cleanup: 'delete', retentionMs: -1 } as const
const create = async (run: string) =>
  await runtime.kafka.createTopics([
    { name: `winnow.run.${run}.selections`, ...topic },
    { name: `winnow.run.${run}.console-state`, ...topic },
  ])

async function winnow(): Promise<number> {
  await create('bench')
  const output = await KafkaOutput.open({ ...runtime, transactionalId: 'bench' })
  const manifest = {
    ...{ run: 'bench', round: 0, step: 0, actors: [], theta: [], weights: [], actorRewards: [], documents: ids },
    ...{ tokens: ids, threshold: null, marginal: null, strata: null, histogramDigest: '', labelOffsets: [] },
    chunkDocuments,
  }
  const began = performance.now()
  await emitSelection(output, { manifest, ids: pieces() })
  const seconds = (performance.now() - began) / 1000
  await output.close()
  return seconds
}

async function bare(): Promise<number> {
  await create('bare')
  return kafkajsAlone({ ...cluster, ...runtime }, 'winnow.run.bare.selections', ids)
}

try {
  const [own, other] = [await winnow(), await bare()]
  const rate = (seconds: number) => `${(ids / seconds / 1e6).toFixed(2)} million ids/s`
  console.log(`${ids} ids, ${Math.ceil(ids / chunkDocuments / partChunks)} parts`)
  console.log(`winnow         ${rate(own)}`)
  console.log(`kafkajs alone  ${rate(other)}`)
  console.log(`ratio          ${(other / own).toFixed(2)}`)
  console.log(`memory         ${Math.round(process.resourceUsage().maxRSS / 1024)} MB at most`)
} finally {
  await runtime.close()
  await cluster.stop()
  rmSync(folder, { recursive: true, force: true })
}
