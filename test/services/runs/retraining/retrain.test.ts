import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { demoGraphs } from '../../../../deploy/demo/model.ts'
import { type DocumentId, runTopics } from '../../../../schemas/index.ts'
import { createRunTopics } from '../../../../services/connections/connections.ts'
import { startRunStations } from '../../../../services/host/run.ts'
import { type Model, openModel } from '../../../../services/model/model.ts'
import { createTrainer } from '../../../../services/model/trainer.ts'
import { readManifests, readProgress, readTopic } from '../../../../services/runs/recorded.ts'
import { retrain } from '../../../../services/runs/retraining/retrain.ts'
import { closeAll } from '../../../../services/runtime/service.ts'
import { selectionIds } from '../../../../services/selections/chunks.ts'
import { SelectionReader } from '../../../../services/selections/selection-reader.ts'
import { packBatches } from '../../../../services/trainer/packer.ts'
import { train } from '../../../../services/trainer/trainer.ts'
import type { RunConfig } from '../../../../topologies/run-config.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun } from '../../../support/memory-runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-retrain-'))
const samples = join(folder, 'reference.jsonl')
const textOf = (n: number) => `the ${n % 2 === 0 ? 'ship left the harbour' : 'bread came warm'} at ${n} and ${n * n}`
const never = new AbortController().signal
let model: Model
let runtime: MemoryRuntime
let run: RunConfig
let selections: DocumentId[][]

beforeAll(async () => {
  writeFileSync(samples, [4, 5].map((n) => `${JSON.stringify({ text: textOf(n) })}\n`).join(''))
  model = await openModel({ graphs: demoGraphs })
  runtime = await memoryRuntime()
  await fillByParity(runtime.store, 40, textOf)
  run = parityRun(
    'r',
    { repeat: 'exclude' },
    {
      sampleDocuments: 0,
      trainer: { batch: 2, context: 8, reportSteps: 1, warmupSteps: 0 },
      reference: { reward: samples, evaluation: samples, corpus: samples },
      ...{ model: demoGraphs, checkpoints: join(folder, 'own') },
    },
  )
  await createRunTopics(runtime.kafka, run)
  const onFailure = (error: unknown) => {
    throw error
  }
  const services = await startRunStations(runtime, run, model, { onFailure })
  await using reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'test' })
  const producer = await runtime.kafka.producer({ transactionalId: 'trainer' })
  await train(run, { ...runtime, reader, producer, model }, never)
  await closeAll(services)
  selections = []
  for (const manifest of await readManifests(runtime, run.name)) {
    const ids: DocumentId[] = []
    for await (const some of selectionIds(runtime, manifest)) ids.push(...some)
    selections.push(ids)
  }
})
afterAll(async () => {
  await model.close()
  rmSync(folder, { recursive: true })
})

const retrained = (name: string, without: readonly DocumentId[], signal = never, onStep = (_step: number) => {}) =>
  retrain(runtime, run, model, { without: new Set(without), folder: join(folder, name), now: () => 5, onStep }, signal)

/** What is promised, without the trainer's loop: the selections with the documents dropped, packed and stepped on by hand. */
async function byHand(without: readonly DocumentId[]): Promise<string> {
  const { batch, context, learningRate, warmupSteps, weightDecay } = run.trainer
  const trainer = await createTrainer(model, {
    ...{ start: { seed: `${run.selection.seed}` }, batch, context, learningRate, warmupSteps, weightDecay },
    totalSteps: run.steps,
  })
  let metadata = {}
  for (const [round, selection] of selections.entries()) {
    const kept = selection.filter((id) => !without.includes(id))
    // Twice: the stream begins again at its end.
    const texts = [...kept, ...kept, ...kept].map((id) => textOf(Number(id)))
    let done = 0
    for await (const packed of packBatches(await model.tokenizer.encodeAll(texts), {
      batch,
      context,
      end: model.tokenizer.endOfText,
    })) {
      await trainer.step(packed.ids as Int32Array<ArrayBuffer>)
      const { document, token } = packed.position
      const place = { run: run.name, round, document, token, documentsRead: packed.documentsRead }
      metadata = Object.fromEntries(Object.entries(place).map(([key, value]) => [key, `${value}`]))
      if (++done === run.updateSteps) break
    }
  }
  const { digest } = await trainer.save(join(folder, `by-hand-${without.length}`), metadata)
  await trainer.close()
  return digest
}

test('the weights are those of a training over the stream with the documents dropped before packing, bit for bit', async () => {
  const without = [selections[0]![1]!, selections[2]![0]!]
  const receipt = await retrained('early', without)
  expect(receipt).toMatchObject({ run: 'r', step: 6, startedFrom: null, atMs: 5 })
  expect(receipt.readings.map(({ docId, round, index }) => [docId, round, index])).toEqual([
    [without[0], 0, 1],
    [without[1], 2, 0],
  ])
  expect(receipt.after.digest).toBe(await byHand(without))
  expect(receipt.after.digest).not.toBe(receipt.before.digest)
  expect(JSON.parse(readFileSync(join(folder, 'early', 'retrain.json'), 'utf8'))).toMatchObject({
    after: receipt.after,
  })
})

test('it goes on from the last checkpoint that had read none of them, to the same bits', async () => {
  const without = [selections[2]![0]!]
  const receipt = await retrained('late', without)
  expect(receipt.startedFrom?.step).toBe(4)
  expect(receipt.after.digest).toBe(await byHand(without))
})

test('without a document that nobody read the checkpoint is the one of the run, and nothing is trained', async () => {
  const steps: number[] = []
  const receipt = await retrained('none', [39_999n as DocumentId], never, (step) => steps.push(step))
  expect(receipt.after.digest).toBe(receipt.before.digest)
  expect([receipt.startedFrom?.step, receipt.readings, steps]).toEqual([6, [], [6]])
})

test('a retraining that is stopped goes on where it was, and its folder takes no other', async () => {
  const without = [selections[0]![1]!, selections[2]![0]!]
  const stop = new AbortController()
  const onStep = (step: number) => {
    if (step === 3) stop.abort(new Error('stopped'))
  }
  await expect(retrained('stopped', without, stop.signal, onStep)).rejects.toThrow('stopped')
  await expect(retrained('stopped', [selections[1]![0]!])).rejects.toThrow('holds another retraining')
  const steps: number[] = []
  const receipt = await retrained('stopped', without, never, (step) => steps.push(step))
  expect(steps[0]).toBe(2)
  expect(receipt.after.digest).toBe(await byHand(without))
})

test('it writes nothing to the run, and says when nothing is left of a round', async () => {
  const before = (await readTopic(runtime, runTopics(run.name).progress.name)).length
  await expect(retrained('all', selections[1]!)).rejects.toThrow('round 1 has nothing to train on')
  await retrained('once', [selections[1]![0]!])
  expect(await readTopic(runtime, runTopics(run.name).progress.name)).toHaveLength(before)
  expect((await readProgress(runtime, run.name)).at(-1)?.step).toBe(6)
})
