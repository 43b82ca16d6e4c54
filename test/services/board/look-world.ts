import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { asDocumentId, DeadLetter, labelsTopic, Progress, runTopics, Source, topics } from '../../../schemas/index.ts'
import { startBoard } from '../../../services/board/board.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { bookOutsideWork } from '../../../services/runs/book-work.ts'
import { submitRun } from '../../../services/runs/registry.ts'
import { createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { type MemoryRuntime, memoryRuntime, recordRun } from '../../support/memory-runtime.ts'
import { testRun } from '../../support/run.ts'

const actors = {
  quality: ['0-1', '1-2', '2-3', '3-4', '4-5'],
  domain: ['Code', 'Learned', 'Mail', 'Manuals', 'News', 'Novel', 'Prose', 'Speeches'],
  topic: [
    ...['Activity', 'Education', 'Entertainment', 'Finance', 'Health', 'Business and Industrial', 'Infrastructure'],
    ...['Literature and Art', 'Nature', 'Others', 'Law and Government', 'Networking', 'Technology'],
  ],
}
export const documents = 400
const steps = 160
const updateSteps = 40

/** Some words, the same each time. */
function textOf(n: number): string {
  const words = 'the whale ship harbour letter price oven ledger rain and of a dawn friend salt'.split(' ')
  let state = 48271 * (n + 1)
  const drawn = Array.from({ length: 60 + (n % 70) }, () => {
    state = (state * 48271) % 2147483647
    return words[state % words.length]
  })
  return `${n}: ${drawn.join(' ')}.`
}
const subcategoryOf = (actor: string, n: number) => {
  const { length } = actors[actor as keyof typeof actors]
  return (n * n + 3 * n + (n % 7)) % length
}

/** A cluster in memory with a corpus, a run and its control, a run with a strategy, and what was rejected; and its board. */
export async function boardInMemory(): Promise<{ url: string; runtime: MemoryRuntime }> {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-look-'))
  const clickHouse = await createClickHouse({ url: `chdb:${join(folder, 'clickhouse')}` })
  await migrate(clickHouse.sql)
  const store = new ClickHouseStore(clickHouse.sql)
  const runtime: MemoryRuntime = { ...(await memoryRuntime(store)), clickHouse }
  await fill(runtime)
  const run = (name: string, selection: object = {}, more: object = {}): RunConfig =>
    testRun(name, {
      ...{ actors, eta: 0.5, updateSteps, steps, sampleDocuments: 3, trainer: { reportSteps: 10 } },
      selection: { rewardTransform: { kind: 'standardize' }, budget: { documents: documents / 4 }, ...selection },
      ...more,
    })
  const zero = Object.fromEntries(
    Object.entries(actors).map(([name, subcategories]) => [name, { subcategories, initialTheta: 0 }]),
  )
  const strategy = {
    pool: [{ tokensMin: 70 }, { actor: 'quality', quantiles: [0.1, 1] }],
    mixture: { actor: 'domain', weights: [2, 1, 1, 1, 1, 4, 4, 1] },
    score: { kind: 'label', actor: 'quality', standardize: 'corpus' },
    sampler: { kind: 'gumbel', temperature: 0.5 },
  }
  const runs = [
    run('multi-actor-7'),
    run('random-7', { actors: zero }, { sampleDocuments: 0 }),
    run('mixture-with-a-long-name', { strategy }, { sampleDocuments: 0 }),
  ]
  for (const [i, one] of runs.entries()) {
    await recordRun(runtime, one, (text) => (text.includes('whale') ? 1 : -0.5) + text.length / 1e4)
    await report(runtime, one, i)
    const cost = { model: 'llama-64x2', device: 'cpu', parameters: 590_000, parametersAll: 852_000, seconds: 12 }
    await bookOutsideWork(runtime, {
      ...{ ...cost, name: 'steps', run: one.name, purpose: 'training', subject: 'reference trainer' },
      ...{ documents: 0, tokens: 1024 * steps, factor: 6 },
    })
  }
  await submitRun(runtime, run('recorded-only'))
  const board = await startBoard(runtime, { port: 0 })
  onTestFinished(async () => {
    await board.close()
    await runtime.close()
    await clickHouse.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { url: board.url, runtime }
}

async function fill({ kafka, codec, store }: MemoryRuntime): Promise<void> {
  const ids = Array.from({ length: documents }, (_, n) => n)
  const at = <V>(value: V, n: number) => ({ value, partition: 0, offset: n })
  const idOf = (n: number) => asDocumentId((1n << 40n) + BigInt(n))
  await store.addDocuments(
    ids.map((n) => at({ docId: idOf(n), text: textOf(n), tokens: 60 + (n % 70), meta: `{"n":${n}}` }, n)),
  )
  for (const actor of Object.keys(actors))
    await store.addLabels(
      ids.map((n) => {
        const score = 4 * Math.abs(Math.sin(n))
        return at({ docId: idOf(n), actor, subcategory: subcategoryOf(actor, n), score, tokens: 60, version: 'v1' }, n)
      }),
    )
  const inputs = [topics.documents.name, ...Object.keys(actors).map((actor) => labelsTopic(actor).name)]
  await store.commit(inputs.map((topic) => ({ topic, partition: 0, offsetNext: documents })))
  const producer = await kafka.producer()
  const source = {
    ...{ name: 'part-0.jsonl', source: 1, fingerprint: '', rowNext: documents, documents },
    ...{ rejected: 0, complete: true, textField: 'text' },
  }
  const letter = (i: number) => ({
    ...{ station: i % 3 ? 'label sink' : 'ingest', reason: ['bad-body', 'no-text', 'too-long'][i % 3]! },
    ...{ message: `row ${i} has no field text, but body, title and url`, origin: `winnow.documents[0]@${i}` },
    ...{ topic: topics.documents.name, partition: 0, offset: i, file: null, line: null, key: null },
    value: Buffer.from(`{"body": "${i}"}`),
  })
  await producer.send([
    { topic: topics.sources.name, key: source.name, value: codec.encode(Source, source) },
    ...Array.from({ length: 7 }, (_, i) => ({
      ...{ topic: topics.deadLetters.name, key: null, value: codec.encode(DeadLetter, letter(i)) },
    })),
  ])
  await producer.close()
}

/** What a trainer would have reported by the end. */
async function report({ kafka, codec }: MemoryRuntime, run: RunConfig, which: number): Promise<void> {
  const producer = await kafka.producer()
  for (let step = 0; step <= run.steps; step += run.trainer.reportSteps) {
    const loss = 5 + 3 * Math.exp(-step / (50 + 20 * which))
    const evaluated = step % 20 === 0
    const value = codec.encode(Progress, {
      ...{ run: run.name, step, tokens: 1024 * step, round: Math.min(3, Math.floor(step / updateSteps)) },
      ...{ position: (8 * step) % (documents / 4), trainLoss: loss + Math.sin(step) / 4 },
      ...{ referenceLoss: evaluated ? loss : null, corpusLoss: evaluated ? loss + 0.3 : null },
      checkpoint: step % updateSteps === 0 ? { path: `/checkpoints/${run.name}/step-${step}`, digest: '', step } : null,
    })
    await producer.send([{ topic: runTopics(run.name).progress.name, key: run.name, value }])
  }
  await producer.close()
}
