import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { type Progress, runTopics } from '../../../schemas/index.ts'
import { createRunTopics } from '../../../services/connections/connections.ts'
import { startRunStations, startTrainer } from '../../../services/host/run.ts'
import { type Model, openModel } from '../../../services/model/model.ts'
import { checkCheckpoints } from '../../../services/runs/check/check.ts'
import { readProgress, readTopic } from '../../../services/runs/recorded.ts'
import { closeAll } from '../../../services/runtime/service.ts'
import { storeFor } from '../../../services/runtime/stores/open-store.ts'
import { storeOf } from '../../../services/runtime/stores/place.ts'
import { SelectionReader } from '../../../services/selections/selection-reader.ts'
import { train } from '../../../services/trainer/trainer.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun } from '../../support/memory-runtime.ts'
import { lacks, startMoto, storesPython } from '../../support/stores.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-trainer-'))
const samples = join(folder, 'reference.jsonl')
const textOf = (n: number) =>
  `the ${n % 2 === 0 ? 'ship left the harbour' : 'bread came warm'} at ${n} and ${n * n} said so`
let model: Model

beforeAll(async () => {
  writeFileSync(samples, [4, 5].map((n) => `${JSON.stringify({ text: textOf(n) })}\n`).join(''))
  model = await openModel({ graphs: demoGraphs })
})
afterAll(async () => {
  await model.close()
  rmSync(folder, { recursive: true })
})

/** A control run of three rounds, whose checkpoints are in a folder of its own. */
const runIn = (checkpoints: string, name = 'r') =>
  parityRun(
    name,
    {},
    {
      sampleDocuments: 0,
      trainer: { batch: 2, context: 8, reportSteps: 1, warmupSteps: 0 },
      reference: { reward: samples, evaluation: samples, corpus: samples },
      model: demoGraphs,
      checkpoints: storeOf(checkpoints) === undefined ? join(folder, checkpoints) : checkpoints,
    },
  )

interface Training {
  readonly runtime: MemoryRuntime
  /** Trains to the end, or until the signal. */
  train(signal?: AbortSignal, onProgress?: (progress: Progress) => void): Promise<void>
  close(): Promise<void>
}

async function open(run: RunConfig, runtime?: MemoryRuntime): Promise<Training> {
  const on = runtime ?? (await memoryRuntime())
  if (runtime === undefined) await fillByParity(on.store, 40, textOf)
  await createRunTopics(on.kafka, run)
  const onFailure = (error: unknown) => {
    throw error
  }
  const services = await startRunStations(on, run, model, { onFailure })
  const reader = await SelectionReader.open({ ...on, run: run.name, reader: 'test' })
  const producer = await on.kafka.producer({ transactionalId: 'trainer' })
  return {
    runtime: on,
    train: (signal = new AbortController().signal, onProgress = () => {}) =>
      train(run, { ...on, reader, producer, model, onProgress }, signal),
    close: async () => {
      await reader.close()
      await closeAll(services)
    },
  }
}

test('trains on the selection of each stage, reports each step, and writes a checkpoint where a stage ends', async () => {
  const run = runIn('whole')
  const training = await open(run)
  await training.train()
  await training.close()
  const reports = await readProgress(training.runtime, run.name)
  expect(reports.map(({ step, tokens, round }) => [step, tokens, round])).toEqual([
    [0, 0, 0],
    [1, 16, 0],
    [2, 32, 0],
    [3, 48, 1],
    [4, 64, 1],
    [5, 80, 2],
    [6, 96, 2],
  ])
  expect(reports.map(({ checkpoint }) => checkpoint?.step)).toEqual([
    undefined,
    undefined,
    2,
    undefined,
    4,
    undefined,
    6,
  ])
  expect(reports.map(({ referenceLoss }) => referenceLoss !== null)).toEqual([
    true,
    false,
    true,
    false,
    true,
    false,
    true,
  ])
  for (const { trainLoss } of reports.slice(1)) expect(trainLoss).toBeGreaterThan(0)
})

test('stopped between two steps and restarted, it ends with the same checkpoint, to the bit, as without a stop', async () => {
  const [whole, cut] = [runIn('alone'), runIn('stopped')]
  const alone = await open(whole)
  await alone.train()
  await alone.close()
  const stopped = await open(cut)
  const stop = new AbortController()
  const failed = stopped.train(stop.signal, ({ step }) => step === 3 && stop.abort(new Error('stopped')))
  await expect(failed).rejects.toThrow('stopped')
  await stopped.train()
  await stopped.close()
  const last = async ({ runtime }: Training) => (await readProgress(runtime, 'r')).at(-1)!
  const [a, b] = [await last(alone), await last(stopped)]
  expect(b.checkpoint!.digest).toBe(a.checkpoint!.digest)
  expect([b.referenceLoss, b.corpusLoss, b.position]).toEqual([a.referenceLoss, a.corpusLoss, a.position])
  // The checkpoint that it went on from is reported again: a kill may come between writing and reporting it.
  const records = await readTopic(stopped.runtime, runTopics('r').progress.name)
  const steps = records.flatMap(({ record, value }) => (record === 'Progress' ? [(value as Progress).step] : []))
  expect(steps).toEqual([0, 1, 2, 3, 2, 3, 4, 5, 6])
})

const found = storesPython(process.env)
const missing = 'missing' in found ? found.missing : (lacks('@aws-sdk/client-s3') ?? lacks('@aws-sdk/lib-storage'))
const because = missing === undefined ? '' : ` (skipped: ${missing})`

describe.skipIf(missing !== undefined)(`in an object store${because}`, () => {
  test('with an address of S3 as checkpoints it writes, reports and resumes there, to the same bits as in a folder', {
    timeout: 60_000,
  }, async () => {
    const moto = await startMoto((found as { python: string }).python)
    onTestFinished(() => moto.stop())
    const [id, secret, region] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION']
    const env = {
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${moto.port}`,
      [id!]: 'anyone',
      [secret!]: 'any',
      [region!]: 'us-east-1',
    }
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    const authorization =
      'AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0'
    await fetch(`${env.AWS_ENDPOINT_URL_S3}/runs`, { method: 'PUT', headers: { authorization } })

    const run = runIn('s3://runs/checkpoints/')
    expect(await checkCheckpoints(run)).toEqual([])
    const stored = await open(run)
    const stop = new AbortController()
    const cut = stored.train(stop.signal, ({ step }) => step === 3 && stop.abort(new Error('stopped')))
    await expect(cut).rejects.toThrow('stopped')
    await stored.train()
    await stored.close()
    const local = await open(runIn('besides'))
    await local.train()
    await local.close()

    const written = async ({ runtime }: Training) =>
      (await readProgress(runtime, 'r')).flatMap(({ checkpoint }) => (checkpoint === null ? [] : checkpoint))
    const checkpoints = await written(stored)
    const paths = [2, 4, 6].map((step) => `s3://runs/checkpoints/r/step-0000000${step}.safetensors`)
    expect(checkpoints.map(({ path }) => path)).toEqual(paths)
    expect(checkpoints.map(({ digest }) => digest)).toEqual((await written(local)).map(({ digest }) => digest))
    const listed: string[] = []
    for await (const { uri } of (await storeFor('s3://runs/')).list('s3://runs/')) listed.push(uri)
    expect(listed.sort()).toEqual(['s3://runs/checkpoints/.winnow-writable', ...paths])
    expect((await checkCheckpoints(run))[0]).toMatchObject({
      what: expect.stringContaining(
        's3://runs/checkpoints/r has a checkpoint of an earlier run of this name, at step 6',
      ),
      mend: 'Remove what lies under s3://runs/checkpoints/r/, or give the run another name.',
    })
  })
})

test('a checkpoint of another run in its folder is refused by name', async () => {
  const run = runIn('foreign')
  const training = await open(run)
  await training.train()
  await training.close()
  renameSync(join(folder, 'foreign', 'r'), join(folder, 'foreign', 'other'))
  const other = await open(runIn('foreign', 'other'), training.runtime)
  await expect(other.train()).rejects.toMatchObject({
    code: 'POSITION_REFUSED',
    message: expect.stringContaining('is a checkpoint of run r, not of other'),
  })
  await other.close()
})

test('a selected document without a text ends training, since the corpus store has lost it', async () => {
  const training = await open(runIn('lost'))
  training.runtime.store.texts = async () => new Map()
  await expect(training.train()).rejects.toMatchObject({
    code: 'GUARANTEE_VIOLATED',
    message: expect.stringContaining('has no text in the corpus store'),
  })
  await training.close()
})

test('a second trainer of a run fences off the first, whose next report fails, and trains to the end', async () => {
  const run = runIn('twice', 'twice')
  const training = await open(run)
  const failures: unknown[] = []
  const first = await startTrainer(training.runtime, run, model, { onFailure: (error) => failures.push(error) })
  const second = await startTrainer(training.runtime, run, model, { onFailure: (error) => failures.push(error) })
  await expect(first.done).rejects.toMatchObject({ code: 'FENCED' })
  await second.done
  expect(failures).toMatchObject([{ code: 'FENCED' }])
  expect((await readProgress(training.runtime, run.name)).at(-1)).toMatchObject({ step: run.steps })
  await Promise.all([first.close(), second.close()])
  await training.close()
})
