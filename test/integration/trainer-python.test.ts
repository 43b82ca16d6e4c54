import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { asDocumentId, type Manifest } from '../../schemas/index.ts'
import { createRunTopics } from '../../services/connections/connections.ts'
import { startRunStations } from '../../services/host/run.ts'
import { createTrainer } from '../../services/model/trainer.ts'
import { readManifests, readProgress } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { KafkaOutput } from '../../services/runtime/output.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { SelectionReader } from '../../services/selections/selection-reader.ts'
import { emitSelection } from '../../topologies/console/emitting.ts'
import { pythonWith } from '../support/python.ts'
import { fail, openWorld, type World } from './loop-world.ts'

const modules = ['confluent_kafka', 'fastavro', 'authlib', 'attr']
const { python, missing } = pythonWith('docs/examples', modules)
const title = `the trainer in Python${missing === undefined ? '' : ` (skipped: ${missing})`}`

/** Runs the example; what it read, a line each. */
async function ran(world: World, settings: object): Promise<{ code: number | null; read: string[][]; stderr: string }> {
  const address = new URL(inject('clickhouseUrl'))
  const login = `${address.username}:${decodeURIComponent(address.password)}`
  Object.assign(address, { username: '', password: '' })
  address.searchParams.set('database', world.database)
  const common = {
    brokers: inject('brokers').join(','),
    registry: inject('registryUrl'),
    clickhouse: address.href,
    login,
  }
  const given = JSON.stringify({ ...common, ...settings })
  const child = spawn(python!, [join(import.meta.dirname, 'own_trainer.py'), given], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (part: string) => {
      text[name] += part
    })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return {
    code,
    read: text.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
    stderr: text.stderr,
  }
}

async function textsOf({ runtime }: World, run: string, manifest: Manifest, count: number): Promise<string[]> {
  await using reader = await SelectionReader.open({ ...runtime, run, reader: 'test' })
  const ids: bigint[] = []
  for await (const chunk of reader.chunks(manifest)) ids.push(...chunk)
  const first = ids.slice(0, count).map(asDocumentId)
  const texts = await runtime.store.texts(first)
  return first.map((id) => texts.get(id)!)
}

describe.skipIf(missing !== undefined)(title, () => {
  test('drives a run to its end: killed and resumed on one and two ranks, it reads every stage in the order of its selection', async () => {
    const world = await openWorld(60)
    const { runtime, model, folder } = world
    const run = world.run('python', {}, { sampleDocuments: 2 })
    await submitRun(runtime, run)
    // Any weights of the model's shape will do for rewards.
    const weights = join(folder, 'weights.safetensors')
    const { batch, context } = run.trainer
    const options = { batch, context, learningRate: 0.1, warmupSteps: 0, totalSteps: 1 }
    const trainer = await createTrainer(model, { start: { seed: '1' }, ...options })
    await trainer.save(weights)
    await trainer.close()
    const stations = await startRunStations(runtime, run, model, { onFailure: fail })

    const settings = { run: run.name, folder, weights }
    const killed = await ran(world, { ...settings, killAfter: 3 })
    expect(killed.code, killed.stderr).toBe(9)
    expect(killed.read).toHaveLength(3)
    // From its last checkpoint, after step 2; a second rank beside it reads the rest of every batch.
    const [first, second] = await Promise.all(
      [0, 1].map((rank) => ran(world, { ...settings, ranks: { rank, ranks: 2 } })),
    )
    for (const { code, stderr } of [first!, second!]) expect(code, stderr).toBe(0)
    await closeAll(stations)

    const resumed = first!.read.map((texts, step) => [...texts, ...second!.read[step]!])
    const read = [...killed.read.slice(0, 2), ...resumed]
    const manifests = await readManifests(runtime, run.name)
    expect(manifests.map(({ round }) => round)).toEqual([0, 1, 2])
    const stageDocuments = run.updateSteps * batch
    const stages = await Promise.all(manifests.map((manifest) => textsOf(world, run.name, manifest, stageDocuments)))
    expect(read.flat()).toEqual(stages.flat())
    // Rewards were computed at its checkpoints.
    for (const { actorRewards } of manifests.slice(1))
      expect(actorRewards.every((reward) => typeof reward === 'number')).toBe(true)
    const reports = await readProgress(runtime, run.name)
    expect(reports.map(({ step }) => step)).toEqual([2, 4, 6])
    expect(reports.at(-1)).toMatchObject({ round: 2, position: 4, trainLoss: 1, checkpoint: { step: 6 } })
  })

  test('reads a selection of many chunks in several parts from any index, across transaction markers, and wraps around at its end', async () => {
    const world = await openWorld(3)
    const { runtime } = world
    const run = world.run(`parts-${randomUUID().slice(0, 4)}`, {}, { model: demoGraphs })
    await createRunTopics(runtime.kafka, run)
    const output = await KafkaOutput.open({ ...runtime, transactionalId: `console-${run.name}` })
    const ids = Array.from({ length: 23 }, (_, i) => 2n ** 63n - 11n + BigInt(i))
    const layout = { chunkDocuments: 2, partChunks: 5 }
    const manifest = {
      ...{
        run: run.name,
        round: 0,
        step: 0,
        actors: [],
        theta: [],
        weights: [],
        actorRewards: [],
        documents: ids.length,
      },
      ...{ tokens: 0, threshold: null, marginal: null, strata: null, histogramDigest: '', labelOffsets: [] },
      chunkDocuments: layout.chunkDocuments,
    }
    async function* all() {
      yield BigUint64Array.from(ids)
    }
    const { parts } = await emitSelection(output, { ids: all(), manifest }, layout)
    await output.close()
    expect(parts).toHaveLength(3)
    const indices = [0, 1, 9, 10, 19, 22, 23, 40]
    const { code, read, stderr } = await ran(world, { run: run.name, read: indices, count: 30 })
    expect(code, stderr).toBe(0)
    const again = [...ids, ...ids, ...ids, ...ids]
    expect(read).toEqual(indices.map((index) => again.slice(index, index + 30).map(String)))
  })
})
