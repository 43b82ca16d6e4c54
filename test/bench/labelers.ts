/**
 * Documents and tokens per second of a labeler service, from topic to topic, as a ratio to the bare model loop in the same process; what
 * bucketing by length gains over the order of arrival, and tokenizing beside the inference over tokenizing before it.
 * Run by hand on a quiet machine: node test/bench/labelers.ts [FOLDER of an encoder, as export_bert.py writes it] [documents for it]
 * With a folder the encoder is measured, without one the shipped topic model.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { asDocumentId, Document, labelsTopic, topics } from '../../schemas/index.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime } from '../../services/connections/connections.ts'
import { startLabeler } from '../../services/host/corpus.ts'
import { modelFolder } from '../../services/labeler/hashed/labeler.ts'
import { HashedScorer, readModel } from '../../services/labeler/hashed/model.ts'
import { createLabeler, type LabelerConfigInput, labelerConfig } from '../../services/labeler/labeler.ts'
import { readTokenizer } from '../../services/labeler/onnx/folder.ts'
import { createLog } from '../../services/runtime/log.ts'
import { defaultActors } from '../../topologies/selection/default-actors.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'

const [encoder, encoderDocuments = '96'] = process.argv.slice(2)
const log = createLog('bench', 'warn')
const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const seconds = (since: number) => (performance.now() - since) / 1000
const draw = (n: number, below: number) => Number(splitmix64(BigInt(n)) % BigInt(below))
const vocabulary = Array.from({ length: 5000 }, (_, i) =>
  splitmix64(BigInt(i))
    .toString(36)
    .slice(0, 3 + draw(i, 8)),
)
/** Lengths as a crawl has them: from a few words to a few thousand, half of them below 300. */
function textOf(i: number): string {
  let state = i
  const word = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return vocabulary[(state >>> 8) % vocabulary.length]!
  }
  return Array.from({ length: Math.ceil(20 * 2 ** (draw(i, 800) / 100)) }, word).join(' ')
}

interface Case {
  actor: { name: string; subcategories: string[] }
  labeler: LabelerConfigInput
  texts: string[]
  /** Seconds of the model on all texts, without a service. */
  bare: (texts: string[]) => Promise<number>
  tokens?: number
}

async function secondsOf(actor: Case['actor'], config: LabelerConfigInput, texts: string[], atATime = texts.length) {
  const labeler = await createLabeler(actor, labelerConfig.parse(config), '/')
  await labeler.label([{ text: 'warm', meta: {} }])
  const began = performance.now()
  for (let from = 0; from < texts.length; from += atATime)
    await labeler.label(texts.slice(from, from + atATime).map((text) => ({ text, meta: {} })))
  const took = seconds(began)
  await labeler.close()
  return took
}

/** Documents per second through Kafka: from the first labels that are in to the last ones. */
async function serviceRate({ actor, labeler, texts }: Case): Promise<{ rate: number; peakMiB: number }> {
  const dataFolder = join(folder, actor.name)
  const config = {
    ...loadConfig({ folder, env: {}, dataFolder }),
    actors: [{ ...actor, labeler: labelerConfig.parse(labeler) }],
  }
  const cluster = await startCluster({ dataFolder, log })
  const runtime = await openRuntime(cluster, log)
  await createCorpusTopics(runtime.kafka, config)
  const producer = await runtime.kafka.producer()
  for (let from = 0; from < texts.length; from += 500) {
    const records = texts.slice(from, from + 500).map((text, i) => {
      const value = { docId: asDocumentId(BigInt(from + i)), text, tokens: Math.ceil(text.length / 4), meta: '{}' }
      const partition = (from + i) % config.corpus.partitions
      return {
        topic: topics.documents.name,
        key: `${value.docId}`,
        value: runtime.codec.encode(Document, value),
        partition,
      }
    })
    await producer.send(records)
  }
  await producer.close()
  let peakBytes = 0
  const watching = setInterval(() => (peakBytes = Math.max(peakBytes, process.memoryUsage().rss)), 100)
  const service = await startLabeler(runtime, config, config.actors[0]!, (error) => {
    throw error
  })
  let first: { at: number; labels: number } | undefined
  for (;;) {
    const ends = await runtime.kafka.endOffsets(labelsTopic(actor.name).name)
    const labels = ends.reduce((sum, end) => sum + end, 0)
    if (labels > 0) first ??= { at: performance.now(), labels }
    if (labels >= texts.length) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const rate = (texts.length - first!.labels) / seconds(first!.at)
  clearInterval(watching)
  await service.close()
  await runtime.close()
  await cluster.stop()
  return { rate, peakMiB: peakBytes / 2 ** 20 }
}

async function report(what: string, one: Case): Promise<void> {
  const bare = one.texts.length / (await one.bare(one.texts))
  const { rate, peakMiB } = await serviceRate(one)
  const bareAgain = one.texts.length / (await one.bare(one.texts))
  console.log(what, {
    documents: one.texts.length,
    service: { documentsPerSecond: rate, tokensPerSecond: (rate * (one.tokens ?? 0)) / one.texts.length },
    bare: { documentsPerSecond: [bare, bareAgain] },
    // What a machine does changes from minute to minute: the loop before and the loop after, together.
    ratio: rate / ((bare + bareAgain) / 2),
    peakMiB,
  })
}

/** Every text in one thread, in a plain loop. */
async function hashedLoop(texts: string[]): Promise<number> {
  const { file, weights } = readModel(modelFolder('shipped:topic', '/'))
  const scorer = new HashedScorer(file, weights)
  const began = performance.now()
  for (const text of texts) scorer.score(text)
  return seconds(began)
}

const three = { name: 'three', subcategories: ['Finance', 'Health', 'Nature'] }

async function benchHashed(texts: string[]): Promise<void> {
  const topic = { name: 'topic', subcategories: [...defaultActors.topic!] }
  const hashed: LabelerConfigInput = { kind: 'hashed', model: 'shipped:topic' }
  const tokens = texts.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0)
  await report('hashed', { actor: topic, labeler: hashed, texts, bare: hashedLoop, tokens })
}

/** A small model, whose tokenizing costs about what it does: 128 documents at a time leave nothing to tokenize beside. */
async function benchTokenizing(texts: string[]): Promise<void> {
  const model = join(import.meta.dirname, '../services/labeler/fixtures/topic')
  const small: LabelerConfigInput = { kind: 'onnx', model, windows: { size: 64 }, batchTokens: 2048 }
  const beside = await secondsOf(three, small, texts)
  const before = await secondsOf(three, small, texts, 128)
  console.log('tokenizing beside the inference', { timesFasterThanBefore: before / beside })
}

async function benchEncoder(model: string, texts: string[]): Promise<void> {
  const labeler: LabelerConfigInput = { kind: 'onnx', model, threads: 2 }
  const encodings = await readTokenizer(join(model, 'tokenizer.json')).encodeBatch(texts)
  const tokens = encodings.reduce((sum, encoding) => sum + Math.min(512, encoding.getIds().length), 0)
  const bare = (all: string[]) => secondsOf(three, labeler, all)
  await report('encoder', { actor: three, labeler, texts, bare, tokens })
  const byLength = await secondsOf(three, labeler, texts)
  const byArrival = await secondsOf(three, { ...labeler, bucket: 'arrival' }, texts)
  console.log('bucketing by length', { timesFasterThanArrival: byArrival / byLength })
}

const textsOf = (count: number) => Array.from({ length: count }, (_, i) => textOf(i))
try {
  if (encoder !== undefined) await benchEncoder(encoder, textsOf(Number(encoderDocuments)))
  else {
    await benchHashed(textsOf(60_000))
    await benchTokenizing(textsOf(4096).map((text) => text.slice(0, 4000)))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
