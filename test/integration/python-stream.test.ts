import { spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { asDocumentId } from '../../schemas/index.ts'
import { createRunTopics } from '../../services/connections/connections.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { readSafetensors } from '../../services/model/safetensors.ts'
import { createTrainer } from '../../services/model/trainer.ts'
import { readManifests, readProgress } from '../../services/runs/recorded.ts'
import { setLife, submitRun } from '../../services/runs/registry.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { SelectionReader } from '../../services/selections/selection-reader.ts'
import { checkpointPath } from '../../services/trainer/checkpoints.ts'
import { packBatches } from '../../services/trainer/packer.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { pythonWith } from '../support/python.ts'
import { fail, openWorld, type World } from './loop-world.ts'

const { python, missing } = pythonWith('services/trainer/python', ['confluent_kafka', 'fastavro', 'tokenizers'])
const title = `the Python trainer's stream${missing === undefined ? '' : ` (skipped: ${missing})`}`

interface Said {
  readonly step?: number
  readonly rows?: readonly number[][]
  readonly cursor?: { readonly round: number; readonly step: number; readonly sequence: number }
  readonly code?: string | null
  readonly message?: string
  readonly ids?: readonly string[]
  readonly done?: boolean
}

const children = new Set<ReturnType<typeof spawn>>()
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** Runs a program of Python on the test's cluster. */
async function started(world: World, program: string, args: readonly string[], more: NodeJS.ProcessEnv = {}) {
  const packages = ['trainer', 'runtime'].map((room) => join(import.meta.dirname, '../../services', room, 'python'))
  const env = {
    ...process.env,
    ...more,
    PYTHONPATH: packages.join(':'),
    PYTHONDONTWRITEBYTECODE: '1',
    WINNOW_BROKERS: inject('brokers').join(','),
    WINNOW_REGISTRY_URL: inject('registryUrl'),
    WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
    WINNOW_CLICKHOUSE_DATABASE: world.database,
  }
  const child = spawn(python!, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (part: string) => {
      text[name] += part
    })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  children.delete(child)
  return { code, ...text }
}

/** Runs stream_child.py; what it said, a line each. */
async function ran(world: World, settings: object): Promise<{ code: number | null; said: Said[]; stderr: string }> {
  const given = { folder: world.folder, tokenizer: join(demoGraphs, 'tokenizer.json'), ...settings }
  const { code, stdout, stderr } = await started(world, join(import.meta.dirname, 'stream_child.py'), [
    JSON.stringify(given),
  ])
  const lines = stdout.split('\n').filter(Boolean)
  return { code, said: lines.map((line) => JSON.parse(line) as Said), stderr }
}

/** The rows of every global batch of a run, by step: read, tokenized and packed by what the TypeScript trainer is made of. */
async function expectedRows({ runtime, model }: World, run: RunConfig): Promise<number[][][]> {
  const { batch, context } = run.trainer
  await using reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'test' })
  const steps: number[][][] = []
  for (let round = 0; steps.length < run.steps; round++) {
    const documents = reader.documents({ run: run.name, round, index: 0 })
    async function* tokens() {
      for await (const id of documents)
        yield await model.tokenizer.encode((await runtime.store.texts([id])).get(asDocumentId(id))!)
    }
    let left = Math.min(run.updateSteps, run.steps - steps.length)
    for await (const { ids } of packBatches(tokens(), { batch, context, end: model.tokenizer.endOfText })) {
      steps.push(
        Array.from({ length: batch }, (_, row) => [...ids.subarray(row * (context + 1), (row + 1) * (context + 1))]),
      )
      if (--left === 0) break
    }
  }
  return steps
}

/** Any weights of the model's shape will do for rewards. */
async function anyWeights({ model, folder }: World, { batch, context }: RunConfig['trainer']): Promise<string> {
  const path = join(folder, 'weights.safetensors')
  const options = { batch, context, learningRate: 0.1, warmupSteps: 0, totalSteps: 1 }
  const trainer = await createTrainer(model, { start: { seed: '1' }, ...options })
  await trainer.save(path)
  await trainer.close()
  return path
}

describe.skipIf(missing !== undefined)(title, { timeout: 240_000 }, () => {
  test('1, 2, 4 and 3 ranks, killed while they step, before and after a report, read the same global batches over two reselections', async () => {
    const world = await openWorld(60)
    const { runtime, model, folder } = world
    const trainer = { batch: 12, context: 24, reportSteps: 1, warmupSteps: 0 }
    const run = world.run('stream', {}, { updateSteps: 3, steps: 9, sampleDocuments: 2, trainer })
    await submitRun(runtime, run)
    const stations = await startRunStations(runtime, run, model, { onFailure: fail })
    const settings = { run: run.name, weights: await anyWeights(world, run.trainer) }

    const batches: number[][][] = []
    const lives: { ranks: number; kill?: [string, number] }[] = [
      { ranks: 1, kill: ['stepping', 2] },
      { ranks: 1, kill: ['checkpointed', 3] },
      { ranks: 2, kill: ['reported', 6] },
      { ranks: 4, kill: ['stepping', 8] },
      { ranks: 3 },
    ]
    for (const { ranks, kill } of lives) {
      const all = await Promise.all(
        Array.from({ length: ranks }, (_, rank) => ran(world, { ...settings, rank, ranks, kill, window: 8 + ranks })),
      )
      // Only the first of all is at the point between checkpoint and report.
      const killed = kill === undefined ? 0 : 9
      for (const { code, stderr } of kill?.[0] === 'checkpointed' ? [all[0]!] : all) expect(code, stderr).toBe(killed)
      const received = all.map(({ said }) => said.filter(({ rows }) => rows !== undefined))
      for (const [n, { step, cursor }] of received[0]!.entries()) {
        const parts = received.map((said) => said[n]!)
        // The cursor is the same on all ranks.
        for (const part of parts) expect(part.cursor).toEqual(cursor)
        expect(Buffer.byteLength(JSON.stringify(cursor))).toBeLessThan(1024)
        const rows = parts.flatMap(({ rows }) => rows!)
        if (batches[step! - 1] !== undefined) expect(rows).toEqual(batches[step! - 1])
        batches[step! - 1] = rows
      }
    }
    const expected = await expectedRows(world, run)
    expect(batches).toHaveLength(9)
    expect(batches).toEqual(expected)

    const manifests = await readManifests(runtime, run.name)
    expect(manifests.map(({ round }) => round)).toEqual([0, 1, 2])
    for (const { actorRewards } of manifests.slice(1))
      expect(actorRewards.every((reward) => typeof reward === 'number')).toBe(true)
    expect((await readProgress(runtime, run.name)).at(-1)).toMatchObject({
      ...{ step: 9, round: 2, tokens: 9 * 12 * 24, trainLoss: 1 },
      checkpoint: { step: 9, path: join(folder, 'python-9.safetensors') },
    })

    // Ids, from any index on, beginning again at the end, and their digests.
    const { said: read } = await ran(world, { ...settings, mode: 'ids', from: 7, count: 40 })
    await using reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'test' })
    for (const manifest of manifests) {
      const ids: string[] = []
      for await (const chunk of reader.chunks(manifest)) ids.push(...chunk.map(String))
      const again = [...ids, ...ids, ...ids, ...ids].slice(7, 47)
      expect(read[manifest.round]).toEqual({ round: manifest.round, ids: again })
    }

    // A place that is not one of this stream is refused, with both values.
    const changes = [
      [{ selectionDigest: 'ff' }, `'ff' in the cursor and '${manifests[2]!.selectionDigest}' here`],
      [{ run: 'another' }, `run is 'another' in the cursor and '${run.name}' here`],
      [{ sequenceLength: 48 }, 'sequenceLength is 48 in the cursor and 24 here'],
      [{ batchSequences: 6 }, 'batchSequences is 6 in the cursor and 12 here'],
      [{ round: 7 }, 'round 7 of the cursor was never selected'],
    ] as const
    const { said: refused } = await ran(world, {
      ...settings,
      mode: 'refusals',
      changes: [...changes.map(([change]) => change), {}],
    })
    expect(refused.map(({ code }) => code)).toEqual([...changes.map(() => 'POSITION_REFUSED'), null])
    for (const [n, [, words]] of changes.entries()) expect(refused[n]!.message).toContain(words)

    // Who trained before is fenced off, whatever it reports.
    const reports = await readProgress(runtime, run.name)
    expect((await ran(world, { ...settings, mode: 'zombie' })).said).toEqual([
      { code: 'FENCED', exit: 3 },
      { done: true },
    ])
    expect((await readProgress(runtime, run.name)).map(({ step }) => step)).toEqual(reports.map(({ step }) => step))

    // Undisturbed, one rank reads the same again.
    rmSync(join(folder, 'state.json'))
    const undisturbed = await ran(world, { ...settings, leader: false })
    expect(undisturbed.code, undisturbed.stderr).toBe(0)
    expect(undisturbed.said.flatMap(({ rows }) => (rows === undefined ? [] : [rows]))).toEqual(expected)
    expect(existsSync(join(folder, 'state.json'))).toBe(false)
    await closeAll(stations)
  })

  test('goes on where the reference trainer stopped, to the token, which goes on from there, and is told when its run has ended', async () => {
    const world = await openWorld(40)
    const { runtime, model } = world
    const run = world.run('resumed', {}, { updateSteps: 2, steps: 6, sampleDocuments: 0 })
    await submitRun(runtime, run)
    const services = await startRunStations(runtime, run, model, { onFailure: fail })
    const reference = async () => {
      const trainer = await startTrainer(runtime, run, model, { onFailure: fail })
      await trainer.done
      await trainer.close()
    }
    await reference()
    const expected = await expectedRows(world, run)
    const [second, fourth, last] = [2, 4, 6].map((step) => checkpointPath(run.checkpoints, run.name, step))
    for (const later of [fourth!, last!]) rmSync(later)
    const { said, stderr } = await ran(world, { run: run.name, mode: 'handover', checkpoint: second })
    expect(said, stderr).toMatchObject([
      { step: 3, rows: expected[2], cursor: { round: 1, sequence: run.trainer.batch } },
      { step: 4, rows: expected[3], cursor: { round: 1, sequence: 2 * run.trainer.batch } },
    ])
    const { metadata } = await readSafetensors(fourth!)
    expect(metadata).toMatchObject({ run: run.name, round: '1', steps: '4' })
    await reference()
    expect(existsSync(last!)).toBe(true)
    expect((await readProgress(runtime, run.name)).at(-1)).toMatchObject({
      step: 6,
      round: 2,
      checkpoint: { path: last },
    })
    await closeAll(services)

    const ended = world.run('ended', {}, { sampleDocuments: 0 })
    await submitRun(runtime, ended)
    await createRunTopics(runtime.kafka, ended)
    await setLife(runtime, ended.name, 'ended')
    const waiting = await ran(world, { run: ended.name, mode: 'train' })
    expect(waiting).toMatchObject({ code: 130, said: [] })
    expect(waiting.stderr).toContain(`run ${ended.name} has ended, and round 0 was not selected`)
  })
})

const torch = pythonWith('services/trainer/python', ['torch', 'transformers', 'confluent_kafka', 'fastavro'])
const torchTitle = `the example of plain PyTorch${torch.missing === undefined ? '' : ` (skipped: ${torch.missing})`}`

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The largest difference between tensors of two files of the same names, and the largest value. */
const difference = `
import sys
from safetensors.numpy import load_file
a, b = map(load_file, sys.argv[1:])
assert sorted(a) == sorted(b) and len(a) > 10
print(max(abs(a[name] - b[name]).max() for name in a), max(abs(a[name]).max() for name in a))
`

describe.skipIf(torch.missing !== undefined)(torchTitle, { timeout: 240_000 }, () => {
  test('ends with the same weights on two ranks as on one, in float64 to 1e-9', async () => {
    const world = await openWorld(40)
    const { runtime, model, folder } = world
    const trainer = { batch: 4, context: 24, reportSteps: 1 }
    const checkpoints: string[] = []
    for (const ranks of [1, 2]) {
      const run = world.run(`plain${ranks}`, {}, { updateSteps: 2, steps: 4, sampleDocuments: 0, trainer })
      await submitRun(runtime, run)
      const stations = await startRunStations(runtime, run, model, { onFailure: fail })
      const example = join(import.meta.dirname, '../../services/trainer/python/examples/plain.py')
      const args = [run.name, demoGraphs, join(folder, `${run.name}.pt`), '--dtype', 'float64']
      // As torchrun starts them.
      const meeting = { MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(await freePort()), WORLD_SIZE: String(ranks) }
      const all = await Promise.all(
        Array.from({ length: ranks }, (_, rank) =>
          started(world, example, args, ranks === 1 ? {} : { ...meeting, RANK: String(rank) }),
        ),
      )
      for (const { code, stderr } of all) expect(code, stderr).toBe(0)
      await closeAll(stations)
      const reports = await readProgress(runtime, run.name)
      expect(reports.map(({ step, checkpoint }) => [step, checkpoint?.step])).toEqual([
        [1, undefined],
        [2, 2],
        [3, undefined],
        [4, 4],
      ])
      checkpoints.push(reports.at(-1)!.checkpoint!.path)
    }
    const { stdout, stderr } = await started(world, '-c', [difference, ...checkpoints])
    const [most, largest] = stdout.split(' ').map(Number)
    expect(most, stderr).toBeLessThan(1e-9)
    expect(largest).toBeGreaterThan(0.1)
  })
})
