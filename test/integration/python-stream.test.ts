import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { asDocumentId, type RoundAdopted, runTopics, type Source, topics } from '../../schemas/index.ts'
import { createRunTopics } from '../../services/connections/connections.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { readSafetensors } from '../../services/model/safetensors.ts'
import { readManifests, readProgress, readTopic } from '../../services/runs/recorded.ts'
import { setLife, submitRun } from '../../services/runs/registry.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { SelectionReader } from '../../services/selections/selection-reader.ts'
import { checkpointPath } from '../../services/trainer/checkpoints.ts'
import { packBatches } from '../../services/trainer/packer.ts'
import type { RunConfig, SwitchMode } from '../../topologies/run-config.ts'
import { blocksFor } from '../support/documents.ts'
import { until } from '../support/kafka.ts'
import { pythonWith } from '../support/python.ts'
import { fail, openWorld, type World } from './loop-world.ts'
import { anyWeights, children, missing, ran, started } from './python-world.ts'

const title = `the Python trainer's stream${missing === undefined ? '' : ` (skipped: ${missing})`}`

interface Expected {
  /** Of the global batch, [batch][context + 1]. */
  readonly rows: number[][]
  readonly round: number
  readonly documentsRead: number
}

/** What each step of a run trains on by its recorded beginnings of rounds: read and packed by what the TypeScript trainer is made of. */
async function expectedSteps({ runtime, model }: World, run: RunConfig): Promise<Expected[]> {
  const { batch, context } = run.trainer
  await using reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'test' })
  const begun = await beginnings(runtime, run)
  const steps: Expected[] = []
  for (const [n, { round, step }] of begun.entries()) {
    expect(step).toBe(steps.length)
    const documents = reader.documents({ run: run.name, round, index: 0 })
    async function* tokens() {
      for await (const id of documents)
        yield await model.tokenizer.encode((await runtime.store.texts([id])).get(asDocumentId(id))!)
    }
    const last = begun[n + 1]?.step ?? run.steps
    for await (const packed of packBatches(tokens(), { batch, context, end: model.tokenizer.endOfText })) {
      const row = (n: number) => [...packed.ids.subarray(n * (context + 1), (n + 1) * (context + 1))]
      steps.push({ rows: Array.from({ length: batch }, (_, n) => row(n)), round, documentsRead: packed.documentsRead })
      if (steps.length === last) break
    }
  }
  return steps
}

/** Each once: a training that goes back records them again, and they are the same. */
async function beginnings(runtime: World['runtime'], run: RunConfig): Promise<RoundAdopted[]> {
  const records = await readTopic(runtime, runTopics(run.name).progress.name)
  const adopted = records.filter(({ record }) => record === 'RoundAdopted').map(({ value }) => value as RoundAdopted)
  const byStep = new Map<number, RoundAdopted>()
  for (const one of adopted.filter(({ step, previousRead }) => step === 0 || previousRead !== null)) {
    if (byStep.has(one.step)) expect(one).toEqual(byStep.get(one.step))
    byStep.set(one.step, one)
  }
  return [...byStep.values()].sort((a, b) => a.step - b.step)
}

describe.skipIf(missing !== undefined)(title, { timeout: 240_000 }, () => {
  test.each([
    { mode: 'wait' as const, rounds: [0, 0, 0, 1, 1, 1, 2, 2, 2] },
    { mode: { lag: 2 }, rounds: [0, 0, 0, 0, 0, 1, 1, 1, 2] },
    // The test goes on after a checkpoint once its round is there: at step 3 that of step 4 is decided already, so round 1 begins at step 6.
    { mode: { ready: 2 }, rounds: [0, 0, 0, 0, 0, 0, 1, 1, 2] },
  ])(
    '1, 2, 4 and 3 ranks, killed while they step, before and after a report, read the same global batches over two reselections, in mode $mode',
    async ({ mode, rounds }) => {
      const world = await openWorld(60)
      const { runtime, model, folder } = world
      const trainer = { batch: 12, context: 24, reportSteps: 1, warmupSteps: 0, switch: mode }
      const run = world.run('stream', {}, { updateSteps: 3, steps: 9, sampleDocuments: 2, trainer })
      await submitRun(runtime, run)
      const stations = await startRunStations(runtime, run, model, { onFailure: fail })
      const hold = typeof mode === 'object' && 'ready' in mode
      const settings = { run: run.name, weights: await anyWeights(world, run.trainer), hold }

      const batches: number[][][] = []
      const lives: { ranks: number; kill?: [string, number] }[] = [
        { ranks: 1, kill: mode === 'wait' ? ['checkpointed', 3] : ['stepping', 5] },
        { ranks: 2, kill: ['reported', 6] },
        { ranks: 4, kill: ['stepping', 8] },
        { ranks: 3 },
      ]
      for (const { ranks, kill } of lives) {
        const all = await Promise.all(
          Array.from({ length: ranks }, (_, rank) => ran(world, { ...settings, rank, ranks, kill, window: 8 + ranks })),
        )
        for (const { code, stderr } of all) expect(code, stderr).toBe(kill === undefined ? 0 : 9)
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
      const steps = await expectedSteps(world, run)
      expect(steps.map(({ round }) => round)).toEqual(rounds)
      const expected = steps.map(({ rows }) => rows)
      expect(batches).toHaveLength(9)
      expect(batches).toEqual(expected)
      const begun = await beginnings(runtime, run)
      expect(begun.map(({ previousRead, sequenceFirst }) => [sequenceFirst, previousRead])).toEqual(
        [0, rounds.indexOf(1), rounds.indexOf(2)].map((step) => [12 * step, steps[step - 1]?.documentsRead ?? null]),
      )
      // Undisturbed, one rank reads the same again.
      const state = join(folder, 'state.json')
      const undisturbed = await ran(world, { ...settings, leader: false, state: join(folder, 'none.json') })
      expect(undisturbed.code, undisturbed.stderr).toBe(0)
      expect(undisturbed.said.flatMap(({ rows }) => (rows === undefined ? [] : [rows]))).toEqual(expected)
      if (mode === 'wait') {
        await readFromStore(world, settings, expected)
        await checked(world, run, settings)
      }
      expect(existsSync(state)).toBe(true)
      await closeAll(stations)
    },
  )

  /** The same batches from tokens, without ClickHouse, while the store is filled on. */
  async function readFromStore(world: World, settings: object, expected: readonly number[][][]) {
    const store = join(world.folder, 'tokens')
    const fill = ['winnow_trainer', 'tokens', store, '--tokenizer', join(demoGraphs, 'tokenizer.json'), '--json']
    const filled = await started(world, '-m', [...fill, '--once'])
    expect(filled.code, filled.stderr).toBe(0)
    expect(JSON.parse(filled.stdout)).toMatchObject({ documents: 60, files: 1 })
    const following = started(world, '-m', fill)
    const again = { ...settings, leader: false, state: join(world.folder, 'none.json'), store }
    const { code, said, stderr } = await ran(world, again, { WINNOW_CLICKHOUSE_URL: 'http://127.0.0.1:9' })
    expect(code, stderr).toBe(0)
    expect(said.flatMap(({ rows }) => (rows === undefined ? [] : [rows]))).toEqual(expected)
    // And from the files that were ingested, which stand in a folder under the names of their sources.
    const files = join(world.folder, 'files')
    mkdirSync(files)
    const [first] = await readTopic(world.runtime, topics.sources.name)
    symlinkSync(world.folder, join(files, dirname((first!.value as Source).name)))
    const filed = await ran(
      world,
      { ...again, store: undefined, files },
      { WINNOW_CLICKHOUSE_URL: 'http://127.0.0.1:9' },
    )
    expect(filed.code, filed.stderr).toBe(0)
    expect(filed.said.flatMap(({ rows }) => (rows === undefined ? [] : [rows]))).toEqual(expected)
    await world.ingest(60, 4)
    await until(() => JSON.parse(readFileSync(join(store, 'store.json'), 'utf8')).files[0][0] === 64)
    for (const child of children) child.kill('SIGTERM')
    expect(JSON.parse((await following).stdout)).toMatchObject({ documents: 64 })
  }

  async function checked(world: World, run: RunConfig, settings: object) {
    const { runtime, folder } = world
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
  }

  test('in every mode each trainer goes on where the other one stopped, to the token, and is told when its run has ended', async () => {
    const world = await openWorld(40)
    const { runtime, model } = world
    const modes: SwitchMode[] = ['wait', { lag: 1 }, { ready: 1 }]
    for (const [n, mode] of modes.entries()) {
      const trainer = { batch: 2, context: 24, reportSteps: 1, warmupSteps: 0, switch: mode }
      const run = world.run(`resumed${n}`, {}, { updateSteps: 2, steps: 6, sampleDocuments: 0, trainer })
      await submitRun(runtime, run)
      const services = await startRunStations(runtime, run, model, { onFailure: fail })
      const reference = async () => {
        const trainer = await startTrainer(runtime, run, model, { onFailure: fail })
        await trainer.done
        await trainer.close()
      }
      const [fourth, last] = [4, 6].map((step) => checkpointPath(run.checkpoints, run.name, step))
      // Python until step 2, TypeScript from there, Python from step 4, and TypeScript once more at the end.
      const settings = { run: run.name, mode: 'handover', tensors: await anyWeights(world, run.trainer) }
      const first = await ran(world, { ...settings, until: 2 })
      await reference()
      const between = await readProgress(runtime, run.name)
      rmSync(last!)
      const second = await ran(world, { ...settings, checkpoint: fourth, until: 6 })
      await reference()

      const expected = await expectedSteps(world, run)
      const said = [...first.said, ...second.said]
      expect(
        said.map(({ step }) => step),
        first.stderr + second.stderr,
      ).toEqual([1, 2, 5, 6])
      for (const { step, rows, cursor } of said) {
        const { round, ...of } = expected[step! - 1]!
        const begun = expected.findIndex((one) => one.round === round)
        expect(rows).toEqual(of.rows)
        expect(cursor).toMatchObject({ round, sequence: (step! - begun) * run.trainer.batch })
      }
      const reports = await readProgress(runtime, run.name)
      expect(reports.map(({ step }) => step)).toEqual(between.map(({ step }) => step))
      for (const { step, round, position } of [...between, ...reports].filter(({ step }) => step > 0))
        expect({ round, documentsRead: position }).toEqual({
          round: expected[step - 1]!.round,
          documentsRead: expected[step - 1]!.documentsRead,
        })
      expect(reports.at(-1)).toMatchObject({ step: 6, checkpoint: { path: last } })
      expect((await readSafetensors(last!)).metadata).toMatchObject({ run: run.name, steps: '6' })
      await closeAll(services)
    }

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
import torch
from safetensors.torch import load_file
a, b = [torch.load(path, weights_only=True)['model'] for path in sys.argv[1:3]]
assert sorted(a) == sorted(b) and len(a) > 10
# What is announced is float32: no influence worker reads float64.
for state, path in [(a, sys.argv[3]), (b, sys.argv[4])]:
    announced = load_file(path)
    assert sorted(announced) == sorted(state) and all(torch.equal(announced[name], state[name].float()) for name in state)
print(max((a[name] - b[name]).abs().max().item() for name in a), max(one.abs().max().item() for one in a.values()))
`

describe.skipIf(torch.missing !== undefined)(torchTitle, { timeout: 240_000 }, () => {
  test('ends with the same weights on two ranks as on one, in float64 to 1e-9; the lines of both READMEs train to the end', async () => {
    const world = await openWorld(40)
    const { runtime, model, folder } = world
    const trainer = { batch: 4, context: 24, reportSteps: 1 }
    const [states, checkpoints]: [string[], string[]] = [[], []]
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
      states.push(join(folder, `${run.name}.pt`))
      checkpoints.push(reports.at(-1)!.checkpoint!.path)
    }
    const { stdout, stderr } = await started(world, '-c', [difference, ...states, ...checkpoints])
    const [most, largest] = stdout.split(' ').map(Number)
    expect(most, stderr).toBeLessThan(1e-9)
    expect(largest).toBeGreaterThan(0.1)

    // What README.md and services/trainer/python/README.md begin with.
    const blocks = blocksFor('integration/python-stream').filter(({ language }) => language === 'python')
    const names = blocks.map(({ text }) => /SelectedStream\(["']([\w-]+)/.exec(text)![1]!)
    expect(names).toHaveLength(2)
    const stations = []
    for (const name of names) {
      const run = world.run(name, {}, { name, updateSteps: 2, steps: 4, sampleDocuments: 0, trainer })
      await submitRun(runtime, run)
      stations.push(...(await startRunStations(runtime, run, model, { onFailure: fail })))
    }
    const cwd = join(folder, 'readme')
    mkdirSync(cwd)
    symlinkSync(demoGraphs, join(cwd, 'model'))
    const given = [JSON.stringify(blocks.map(({ text }) => text)), demoGraphs]
    const done = await started(world, join(import.meta.dirname, 'readme_child.py'), given, {}, cwd)
    expect(done.code, done.stderr).toBe(0)
    expect(done.stdout.trim().split('\n')).toEqual(names.map(() => '{"step": 4, "round": 1}'))
    for (const name of names)
      expect((await readProgress(runtime, name)).at(-1)).toMatchObject({ step: 4, checkpoint: { step: 4 } })
    await closeAll(stations)
  })
})
