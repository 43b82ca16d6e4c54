import { randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, onTestFinished, test } from 'vitest'
import { type DeadLetter, type Document, type Label, labelsTopic, topics } from '../../schemas/index.ts'
import { loadConfig } from '../../services/config/load.ts'
import { createCorpusTopics, openRuntime, type Runtime } from '../../services/connections/connections.ts'
import { startCorpus } from '../../services/host/corpus.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { noProgress } from '../../services/ingest/progress.ts'
import { fitDsir } from '../../services/labeler/dsir/fit.ts'
import { createLabeler } from '../../services/labeler/labeler.ts'
import { openModel } from '../../services/model/model.ts'
import { labelProgress } from '../../services/runs/label-progress.ts'
import { readRecordedRun, readTopic } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { replayRun } from '../../services/runs/replay/changes.ts'
import { replay } from '../../services/runs/replay/replay.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { createLog } from '../../services/runtime/log.ts'
import { closeAll, type Service } from '../../services/runtime/service.ts'
import { parseRunConfig } from '../../topologies/run-config.ts'
import { jsonLines, SimulationFolder } from '../services/simulate/folder.ts'
import { removeCorpusTopics } from '../support/corpus-topics.ts'
import { until } from '../support/kafka.ts'
import { selectedIds } from './loop-memory.ts'
import { fail } from './loop-world.ts'

// The labelers that strategies need, from topic to topic in one process, and a run by a preset of label scores.

const id = randomUUID().slice(0, 8)
const fixtures = join(import.meta.dirname, '../services/labeler/fixtures')
const sources = ['ArXiv', 'Book', 'C4']
const words = 'the a of whale ship captain river function return price market law court health nature music'.split(' ')
const documents = 60
/** The one whose row has no score. */
const unscored = 17

function rows(first: number, count: number): string {
  return Array.from({ length: count }, (_, i) => {
    const n = first + i
    const text = Array.from({ length: 5 + (n % 40) }, (_, k) => words[(n * (k + 3) + k * k) % words.length]).join(' ')
    const score = n === unscored ? {} : { score: n % 2 === 0 ? (n % 11) / 2 : String((n % 11) / 2) }
    return `${JSON.stringify({ text: `${n} ${text}`, meta: { redpajama_set_name: sources[n % 3] }, ...score })}\n`
  }).join('')
}

const edu = `edu-${id}`
/** `writing` and `domain` are what the preset qurating-writing needs. */
const names = { writing: 'writing', facts: `facts-${id}`, domain: 'domain', dsir: `dsir-${id}`, ppl: `ppl-${id}` }
const actors = (qurater: string) => ({
  [names.writing]: { subcategories: ['all'], labeler: { kind: 'onnx', model: qurater, head: 'Finance' } },
  [names.facts]: {
    subcategories: ['low', 'high'],
    labeler: { kind: 'onnx', model: qurater, head: 'Nature', ranges: { low: { to: 0 }, high: { from: 0 } } },
  },
  [names.domain]: { subcategories: sources, labeler: { kind: 'metadata' } },
  [edu]: { labeler: { kind: 'edu', by: { kind: 'metadata' } } },
  [names.dsir]: { labeler: { kind: 'dsir', model: './dsir' } },
  [names.ppl]: { labeler: { kind: 'perplexity', model: join(fixtures, 'causal'), windows: { size: 32 } } },
})

/** Three regression heads. */
function makeQurater(folder: string): string {
  const qurater = join(folder, 'qurater')
  cpSync(join(fixtures, 'topic'), qurater, { recursive: true })
  const config = JSON.parse(readFileSync(join(qurater, 'config.json'), 'utf8')) as object
  writeFileSync(join(qurater, 'config.json'), JSON.stringify({ ...config, problem_type: 'regression' }))
  return qurater
}

const labelTopics = [names.writing, names.domain].map((actor) => labelsTopic(actor).name)

const valuesOf = async <T>(runtime: Runtime, topic: string): Promise<T[]> =>
  (await readTopic(runtime, topic)).map(({ value }) => value as T)

test('labelers of scores from topic to topic, and a run by the preset qurating-writing that equals simulate and its replay', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-strategies-'))
  const corpus = join(folder, 'corpus.jsonl')
  writeFileSync(corpus, rows(0, documents))
  const target = join(folder, 'target.jsonl')
  writeFileSync(target, rows(1000, 5))
  await fitDsir({ corpus: [corpus], target: { files: [target] }, out: join(folder, 'dsir') })
  writeFileSync(join(folder, 'winnow.yaml'), JSON.stringify({ actors: actors(makeQurater(folder)) }))
  const config = loadConfig({ folder, env: {} })
  const database = `strategies_${id}`
  const server = await createClickHouse({ url: inject('clickhouseUrl') })
  await server.sql.command(`CREATE DATABASE ${database}`)
  await server.close()
  const addresses = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
  const runtime = await openRuntime(
    { ...addresses, clickhouseUrl: inject('clickhouseUrl'), database },
    createLog('test', 'warn'),
  )
  const services: Service[] = []
  onTestFinished(async () => {
    await closeAll(services)
    await removeCorpusTopics(runtime.kafka, labelTopics)
    await runtime.close()
    rmSync(folder, { recursive: true, force: true })
  })
  await removeCorpusTopics(runtime.kafka, labelTopics)
  await createCorpusTopics(runtime.kafka, config)
  const started = await startCorpus(runtime, config, fail)
  services.push(...started.services)
  const versions = new Map(Object.entries(started.versions))
  await ingest({ ...runtime, paths: [corpus], clock: systemClock, progress: noProgress, nameOptions: { prefix: id } })
  await until(async () => {
    const progress = await labelProgress(runtime, versions)
    return progress.documents === documents && progress.complete === documents - 1 && progress.refused === 1
  })

  // What each labeler says of the same documents by itself.
  const given = await valuesOf<Document>(runtime, topics.documents.name)
  expect(given).toHaveLength(documents)
  const labels = new Map<string, Map<bigint, Label>>()
  for (const actor of config.actors) {
    const written = await valuesOf<Label>(runtime, labelsTopic(actor.name).name)
    const byDocument = new Map(written.map((label) => [label.docId as bigint, label]))
    labels.set(actor.name, byDocument)
    const alone = await createLabeler(actor, actor.labeler, config.baseFolder)
    const results = await alone.label(given.map(({ text, meta }) => ({ text, meta: JSON.parse(meta) as unknown })))
    await alone.close()
    for (const [i, result] of results.entries()) {
      const label = byDocument.get(given[i]!.docId)
      if (!result.ok) expect(label).toBeUndefined()
      else
        expect(label).toMatchObject({
          subcategory: result.subcategory,
          score: expect.closeTo(result.score, 4),
          version: alone.version,
        })
    }
    expect(byDocument.size).toBe(actor.name === edu ? documents - 1 : documents)
  }
  const letters = await valuesOf<DeadLetter>(runtime, topics.deadLetters.name)
  expect(letters.map(({ reason, station }) => [reason, station])).toEqual([['missing-score', `labeler ${edu}`]])

  const model = await openModel({ graphs: 'shipped:llama-64x2' })
  services.push({ name: 'model', close: () => model.close() })
  const reference = (name: string, first: number) => {
    writeFileSync(join(folder, `${name}.jsonl`), rows(first, 4))
    return join(folder, `${name}.jsonl`)
  }
  const of = (name: string) => config.actors.find((actor) => actor.name === name)!
  const selection = {
    seed: 5,
    actors: Object.fromEntries(
      [of('domain'), of('writing')].map(({ name, subcategories }) => [name, { subcategories }]),
    ),
    budget: { documents: 20 },
    strategy: 'qurating-writing',
  }
  const run = parseRunConfig({
    ...{ name: `qurating-${id}`, selection, updateSteps: 2, steps: 2, sampleDocuments: 0 },
    labelers: { domain: versions.get('domain'), writing: versions.get('writing') },
    trainer: { batch: 2, context: 24, reportSteps: 1, warmupSteps: 0 },
    reference: {
      ...{ reward: reference('reward', 2000), evaluation: reference('evaluation', 2100) },
      ...{ corpus: reference('held-out', 2200), samplesMax: 4 },
    },
    model: 'shipped:llama-64x2',
    checkpoints: join(folder, 'checkpoints'),
  })
  await submitRun(runtime, run)
  const parts = await startRunStations(runtime, run, model, { onFailure: fail })
  services.push(...parts)
  const trainer = await startTrainer(runtime, run, model, { onFailure: fail })
  services.push(trainer)
  await trainer.done

  const { manifests } = await readRecordedRun(runtime, run.name)
  const [selected] = await selectedIds(runtime, manifests)
  using simulated = new SimulationFolder()
  const scored = given.map(({ docId, tokens }) => {
    const [ofDomain, ofWriting] = ['domain', 'writing'].map((name) => labels.get(name)!.get(docId)!)
    return {
      ...{ docId: docId.toString(), tokens: Number(tokens) },
      labels: { domain: ofDomain!.subcategory, writing: ofWriting!.subcategory },
      scores: { writing: ofWriting!.score },
    }
  })
  await simulated.run({ labels: jsonLines(scored), rewards: '', config: selection })
  expect(selected).toHaveLength(20)
  expect(selected!.map(String)).toEqual(simulated.ids(0))
  // The sampler's noise decides: the 20 best are others.
  expect(manifests[0]).toMatchObject({ documents: 20 })
  const again = await replay({ runtime, recorded: run, replay: replayRun(run, `${run.name}-again`) })
  expect(again.map(({ same }) => same)).toEqual([true])
})
