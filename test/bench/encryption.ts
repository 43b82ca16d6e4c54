/**
 * What encrypted texts cost at ingest (docs/erasure.md): the same documents into an empty cluster with `corpus.encryption` and without, by turns, and what they take up in the log.
 * Run by hand on a quiet machine: node test/bench/encryption.ts [documents] [pairs] (default 200,000 and 3).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { type Document, topics } from '../../schemas/index.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime } from '../../services/connections/connections.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { noProgress } from '../../services/ingest/progress.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { createLog } from '../../services/runtime/log.ts'
import { recordsOf } from '../../services/runtime/records-of.ts'
import { isSealed } from '../../services/texts/envelope.ts'
import { MasterKeys } from '../../services/texts/master-keys.ts'
import { mix32 } from '../../topologies/hash.ts'

const documents = Number(process.argv[2] ?? 200_000)
const pairs = Number(process.argv[3] ?? 3)
const wordsOfDocument = 250

let count = 0
const next = (n: number) => mix32(Math.imul(count++, 0x9e3779b1)) % n
/** The k-th word is about 1 / k as frequent as the first. */
const textOf = () =>
  Array.from({ length: wordsOfDocument }, () => `w${Math.floor(50_000 ** (next(1_000_000) / 1_000_000)).toString(36)}`)

const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const file = join(folder, 'rows.jsonl')
writeFileSync(file, '')
for (let row = 0; row < documents; row++)
  writeFileSync(file, `${JSON.stringify({ text: textOf().join(' ') })}\n`, { flag: 'a' })

/** @returns documents a second, and bytes of a text as it stands in the log */
async function ingesting(name: string, encryption: string | undefined): Promise<{ rate: number; bytes: number }> {
  const log = createLog('bench', 'warn')
  const cluster = await startCluster({ dataFolder: join(folder, name), log })
  const runtime = await openRuntime(cluster, log, { encryption })
  await createCorpusTopics(runtime.kafka, loadConfig({ folder, env: {}, dataFolder: join(folder, 'data') }))
  const began = performance.now()
  await ingest({ ...runtime, paths: [file], clock: systemClock, progress: noProgress })
  const rate = (1000 * documents) / (performance.now() - began)
  let found = 0
  let bytes = 0
  for await (const { value } of recordsOf(runtime, topics.documents.name)) {
    const { text } = value as Document
    if (isSealed(text) !== (encryption !== undefined)) throw new Error(`a text of ${name} is not as it should be`)
    found += 1
    bytes += text.length
  }
  if (found !== documents) throw new Error(`${found} of ${documents} documents are in the log`)
  await runtime.close()
  await cluster.stop()
  rmSync(join(folder, name), { recursive: true, force: true })
  return { rate, bytes: bytes / documents }
}

const keys = join(folder, 'keys.json')
MasterKeys.create(keys, 0)
const ratios: number[] = []
for (let pair = 0; pair < pairs; pair++) {
  const plain = await ingesting(`plain-${pair}`, undefined)
  const encrypted = await ingesting(`encrypted-${pair}`, keys)
  ratios.push(encrypted.rate / plain.rate)
  console.log(
    `${plain.rate.toFixed(0)} documents/s, encrypted ${encrypted.rate.toFixed(0)}: ${ratios.at(-1)!.toFixed(2)} of it; ` +
      `${plain.bytes.toFixed(0)} and ${encrypted.bytes.toFixed(0)} bytes a text, load ${loadavg()[0]!.toFixed(1)}`,
  )
}
console.log(`ratio: median ${ratios.toSorted((a, b) => a - b)[Math.floor(pairs / 2)]!.toFixed(2)} of ${pairs}`)
rmSync(folder, { recursive: true, force: true })
