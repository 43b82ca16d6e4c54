import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject, onTestFinished } from 'vitest'
import { demoGraphs } from '../../deploy/demo/model.ts'
import {
  allRecords,
  asDocumentId,
  DeadLetter,
  Reward,
  RewardRequest,
  type RewardRequest as RewardRequestValue,
  type Reward as RewardValue,
  Run,
  runTopics,
  topics,
} from '../../schemas/index.ts'
import { createRunTopics } from '../../services/connections/connections.ts'
import { createRunInfluence } from '../../services/influence/model.ts'
import { type Model, openModel } from '../../services/model/model.ts'
import { createTrainer } from '../../services/model/trainer.ts'
import { type Codec, createCodec } from '../../services/runtime/codec.ts'
import { consumerGroupOf } from '../../services/runtime/consumer-groups.ts'
import type { Kafka, TraceHeaders } from '../../services/runtime/kafka/port.ts'
import { createLog } from '../../services/runtime/log.ts'
import { runStation, type StationHandle } from '../../services/runtime/station.ts'
import { influenceStation } from '../../topologies/dataflow.ts'
import { parseRunConfig, type RunConfig, runConfigJson } from '../../topologies/run-config.ts'
import { selectionVersion } from '../../topologies/selection/version.ts'
import { connect, readAll } from '../support/kafka.ts'

const workerFolder = join(import.meta.dirname, '../../services/influence/torch')
const log = createLog('test', process.env.WINNOW_LOG_LEVEL ?? 'warn')

export interface Checkpoint {
  checkpointPath: string
  checkpointDigest: string
}

/** A tiny model in training with two checkpoints, and runs of it whose requests workers of either kind answer. */
export interface InfluenceWorld {
  readonly kafka: Kafka
  readonly checkpoints: readonly Checkpoint[]
  /** Records a run and makes its topics. */
  run(name: string, influence?: object, reference?: object): Promise<RunConfig>
  /** Sends requests, all different; gives what was sent. */
  ask(run: RunConfig, round: number, documents: number): Promise<RewardRequestValue[]>
  sendRaw(run: RunConfig, value: Buffer): Promise<void>
  rewards(run: RunConfig): Promise<{ partition: number; value: RewardValue; trace?: TraceHeaders | undefined }[]>
  deadLetters(run: RunConfig): Promise<DeadLetter[]>
  onnxWorker(run: RunConfig): Promise<StationHandle>
}

export interface TorchWorker {
  readonly process: ChildProcess
  readonly exited: Promise<{ code: number | null; stderr: string }>
}

const words =
  'the ship left harbour at dawn while warm butter and flour make dough and invoice 17 lists 240 units'.split(' ')
export const traceparentOf = (docId: bigint): string => `00-${docId.toString(16).padStart(32, 'a')}-00000000000000ab-01`

const textOf = (n: number): string =>
  Array.from({ length: 5 + ((7 * n) % 60) }, (_, i) => words[(i * i + n * (i % 3) + n) % words.length]).join(' ')

export async function openInfluenceWorld(): Promise<InfluenceWorld> {
  const id = randomUUID().slice(0, 8)
  const folder = mkdtempSync(join(tmpdir(), 'winnow-torch-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const kafka = connect()
  const codec: Codec = await createCodec({ registry: inject('registryUrl'), records: allRecords })
  await kafka.createTopics(
    [topics.runs, topics.deadLetters].map(({ name, cleanup, retentionMs }) => ({
      name,
      cleanup,
      retentionMs,
      partitions: 1,
    })),
  )
  const producer = await kafka.producer()
  const model = await openModel({ graphs: demoGraphs })
  onTestFinished(() => model.close())
  const references = ['first', 'second'].map((name, i) => {
    const path = join(folder, `${name}.jsonl`)
    writeFileSync(path, [0, 1, 2].map((n) => `${JSON.stringify({ text: textOf(100 * (i + 1) + n) })}\n`).join(''))
    return path
  })
  const checkpoints = await trained(model, folder)

  return {
    kafka,
    checkpoints,
    async run(name, influence = {}, reference = {}) {
      const run = parseRunConfig({
        name: `${name}-${id}`,
        selection: {
          seed: 5,
          actors: { a: { subcategories: ['x', 'y'] }, b: { subcategories: ['x', 'y'] } },
          budget: { documents: 4 },
        },
        updateSteps: 2,
        steps: 4,
        labelers: { a: '1', b: '1' },
        influence,
        trainer: { context: 24 },
        reference: {
          reward: references[0],
          evaluation: references[0],
          corpus: references[0],
          ...reference,
        },
        model: demoGraphs,
        checkpoints: folder,
      })
      await createRunTopics(kafka, run)
      const value = codec.encode(Run, {
        run: run.name,
        config: runConfigJson(run),
        replayOf: null,
        selectionVersion,
        life: 'active',
        recordedMs: null,
      })
      await producer.send([{ topic: topics.runs.name, key: run.name, value }])
      return run
    },
    async ask(run, round, documents) {
      const requests = Array.from({ length: documents }, (_, n) =>
        ['a', 'b'].map((actor) => ({
          run: run.name,
          round,
          actor,
          // Every second id needs all 64 bits.
          docId: asDocumentId((n % 2 === 0 ? 0n : 2n ** 63n) + BigInt(1000 * round + n)),
          text: textOf(n),
          ...checkpoints[round % checkpoints.length]!,
        })),
      ).flat()
      await producer.send(
        requests.map((value) => ({
          topic: runTopics(run.name).rewardRequests.name,
          key: String(value.docId),
          value: codec.encode(RewardRequest, value),
          trace: { traceparent: traceparentOf(value.docId) },
        })),
      )
      return requests
    },
    async sendRaw(run, value) {
      await producer.send([{ topic: runTopics(run.name).rewardRequests.name, key: 'raw', value }])
    },
    async rewards(run) {
      const records = await readAll(kafka, runTopics(run.name).rewards.name)
      return Promise.all(
        records.map(async ({ partition, value, trace }) => ({
          partition,
          value: await codec.decodeAs(Reward, value!),
          trace,
        })),
      )
    },
    async deadLetters(run) {
      const records = await readAll(kafka, topics.deadLetters.name)
      const letters = await Promise.all(records.map(({ value }) => codec.decodeAs(DeadLetter, value!)))
      return letters.filter(({ topic }) => topic === runTopics(run.name).rewardRequests.name)
    },
    async onnxWorker(run) {
      const influence = await createRunInfluence(run, model)
      const station = influenceStation(run)
      const handle = await runStation({
        kafka,
        codec,
        log,
        station,
        build: (output) => station.build({ influence }, output),
        groupId: consumerGroupOf(station, { run: run.name }),
        onFailure: (error) => {
          throw error
        },
      })
      return {
        ...handle,
        close: async () => {
          await handle.close()
          await influence.close()
        },
      }
    },
  }
}

/** Runs `python -m winnow_torch` for a run, until it ends or the test does. */
export const torchWorker = (python: string, run: RunConfig, ...options: string[]): TorchWorker =>
  torchWorkerIn({}, python, run, ...options)

/** The same, with more in its environment. */
export function torchWorkerIn(
  more: NodeJS.ProcessEnv,
  python: string,
  run: RunConfig,
  ...options: string[]
): TorchWorker {
  const places = ['--brokers', inject('brokers').join(','), '--registry', inject('registryUrl')]
  const worker = spawn(
    python,
    ['-m', 'winnow_torch', '--run', run.name, ...places, '--device', 'cpu', '--threads', '1', ...options],
    {
      cwd: workerFolder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...more, PYTHONDONTWRITEBYTECODE: '1' },
    },
  )
  let stderr = ''
  worker.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  onTestFinished(() => void worker.kill('SIGKILL'))
  const exited = new Promise<{ code: number | null; stderr: string }>((resolve) =>
    worker.on('close', (code) => resolve({ code, stderr })),
  )
  return { process: worker, exited }
}

/** Checkpoints after 2 and 4 steps. */
async function trained(model: Model, folder: string): Promise<Checkpoint[]> {
  const trainer = await createTrainer(model, {
    start: { seed: '3' },
    batch: 4,
    context: 24,
    learningRate: 5e-3,
    warmupSteps: 0,
    totalSteps: 4,
  })
  const checkpoints: Checkpoint[] = []
  for (let step = 1; step <= 4; step++) {
    await trainer.step(Int32Array.from({ length: 4 * 25 }, (_, i) => (31 * i * i + step) % 4096))
    if (step % 2 === 1) continue
    const checkpointPath = join(folder, `step-${step}.safetensors`)
    checkpoints.push({ checkpointPath, checkpointDigest: (await trainer.save(checkpointPath)).digest })
  }
  await trainer.close()
  return checkpoints
}
