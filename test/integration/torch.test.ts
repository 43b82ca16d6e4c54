import { describe, expect, it } from 'vitest'
import { type Reward, runTopics } from '../../schemas/index.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { readRecordedRun, readTopic } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { closeAll } from '../../services/runtime/service.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { until } from '../support/kafka.ts'
import { pythonWith } from '../support/python.ts'
import { fail, openWorld } from './loop-world.ts'
import { type InfluenceWorld, openInfluenceWorld, torchWorker, traceparentOf } from './torch-world.ts'

const modules = ['torch', 'transformers', 'confluent_kafka', 'fastavro', 'tokenizers']
const { python, missing } = pythonWith('services/influence/torch', modules)
const title = missing === undefined ? 'the PyTorch worker' : `the PyTorch worker (skipped: ${missing})`

/** Cosines in float32: the two kinds sum in another order. README.md of the worker states it. */
const tolerance = 1e-4

const identity = ({ round, actor, docId }: Reward) => `${round}/${actor}/${docId}`
const untilAnswered = (world: InfluenceWorld, run: RunConfig, count: number) =>
  until(async () => (await world.rewards(run)).length >= count, 90_000)

describe.skipIf(missing !== undefined)(title, { timeout: 300_000 }, () => {
  it.each([
    ['one task, cosine', {}, false],
    ['Fisher, overlapping windows, two tasks', { hessian: 'fisher', windowsMax: 2, overlap: 6, combine: 'max' }, true],
    ['Adam, one task', { preconditioner: 'adam' }, false],
    ['probe', { estimator: 'probe', preconditioner: 'adam' }, false],
  ])('gives the same rewards as the ONNX worker: %s', async (name, influence, twoTasks) => {
    const world = await openInfluenceWorld()
    const runs: RunConfig[] = []
    for (const kind of ['onnx', 'torch']) {
      const plain = await world.run(`${kind}-${name.slice(0, 3)}`, influence)
      const { reward } = plain.reference
      const more = { moreRewards: [reward.replace('first', 'second')] }
      runs.push(twoTasks ? await world.run(`${kind}-two`, influence, more) : plain)
    }
    const [byOnnx, byTorch] = runs as [RunConfig, RunConfig]
    const asked = 2 * 2 * 6
    for (const run of runs) for (const round of [0, 1]) await world.ask(run, round, 6)

    const onnx = await world.onnxWorker(byOnnx)
    await untilAnswered(world, byOnnx, asked)
    await onnx.close()
    const { code, stderr } = await torchWorker(python!, byTorch, '--until-idle').exited
    expect(code, stderr).toBe(0)

    const expected = new Map((await world.rewards(byOnnx)).map((each) => [identity(each.value), each]))
    const found = await world.rewards(byTorch)
    expect(found).toHaveLength(asked)
    expect(expected.size).toBe(asked)
    for (const { partition, value, trace } of found) {
      const other = expected.get(identity(value))!
      expect(Math.abs(value.reward - other.value.reward), identity(value)).toBeLessThan(tolerance)
      expect(value).toMatchObject({
        checkpointDigest: other.value.checkpointDigest,
        graphDigest: other.value.graphDigest,
        projectionSeed: other.value.projectionSeed,
        estimator: `${other.value.estimator}/torch-float32`,
      })
      expect(partition).toBe(other.partition)
      expect(trace?.traceparent).toBe(traceparentOf(value.docId))
    }
    // They are no constant that any worker would give.
    const rewards = found.map(({ value }) => value.reward)
    expect(Math.max(...rewards) - Math.min(...rewards)).toBeGreaterThan(20 * tolerance)
  })

  it('sends bad requests to dead letters like the ONNX worker, and continues', async () => {
    const world = await openInfluenceWorld()
    const runs = [await world.run('bad-onnx'), await world.run('bad-torch')] as const
    const bad = [Buffer.from('no framing'), Buffer.from([0, 0, 0, 255, 255, 1]), Buffer.from([0, 0, 0, 0, 1])]
    for (const run of runs) {
      for (const value of bad) await world.sendRaw(run, value)
      await world.ask(run, 0, 1)
    }
    const onnx = await world.onnxWorker(runs[0])
    await untilAnswered(world, runs[0], 2)
    await until(async () => (await world.deadLetters(runs[0])).length === bad.length)
    await onnx.close()
    const { code, stderr } = await torchWorker(python!, runs[1], '--until-idle').exited
    expect(code, stderr).toBe(0)
    expect(await world.rewards(runs[1])).toHaveLength(2)

    const [expected, found] = [await world.deadLetters(runs[0]), await world.deadLetters(runs[1])]
    const what = ({ station, reason, offset, value }: (typeof found)[number]) => ({ station, reason, offset, value })
    expect(found.map(what)).toEqual(expected.map(what))
    expect(found.map(({ reason }) => reason).slice(0, 2)).toEqual(['bad-framing', 'unknown-schema'])
    expect(found[0]!.message).toContain(`${found[0]!.topic}[`)
  })

  it('takes over where the ONNX worker stopped, and hands back when it is told to stop', async () => {
    const world = await openInfluenceWorld()
    const run = await world.run('hand-over')
    await world.ask(run, 0, 3)
    const first = await world.onnxWorker(run)
    await untilAnswered(world, run, 6)
    const refused = await torchWorker(python!, run).exited
    expect(refused.code, refused.stderr).toBe(3)
    expect(refused.stderr).toContain('End the ONNX workers of the run first')
    await first.close()

    await world.ask(run, 1, 3)
    const torch = torchWorker(python!, run)
    await untilAnswered(world, run, 12)
    torch.process.kill('SIGTERM')
    const ended = await torch.exited
    expect(ended.code, ended.stderr).toBe(0)

    await world.ask(run, 2, 3)
    const last = await world.onnxWorker(run)
    await untilAnswered(world, run, 18)
    await last.close()
    const rewards = (await world.rewards(run)).map(({ value }) => value)
    expect(new Set(rewards.map(identity)).size).toBe(rewards.length)
    expect(rewards.filter(({ estimator }) => estimator.endsWith('torch-float32')).map(({ round }) => round)).toEqual(
      Array(6).fill(1),
    )
  })

  it('computes all rewards of a run whose stations have no worker of their own', async () => {
    const { runtime, model, run: runOf } = await openWorld(30)
    const run = runOf('by-torch', { budget: { documents: 10 } })
    await submitRun(runtime, run)
    const services = await startRunStations(runtime, run, model, { influenceWorkers: 0, onFailure: fail })
    const worker = torchWorker(python!, run)
    const trainer = await startTrainer(runtime, run, model, { onFailure: fail })
    services.push(trainer)
    await trainer.done
    await closeAll(services)
    worker.process.kill('SIGTERM')
    const { code, stderr } = await worker.exited
    expect(code, stderr).toBe(0)

    expect((await readRecordedRun(runtime, run.name)).manifests).toHaveLength(3)
    const rewards = (await readTopic(runtime, runTopics(run.name).rewards.name)).map(({ value }) => value as Reward)
    expect(new Set(rewards.map(({ round }) => round))).toEqual(new Set([1, 2]))
    for (const { estimator } of rewards) expect(estimator).toBe('gradient/cosine/identity/torch-float32')
  })

  it('answers every request exactly once even if it is killed midway', async () => {
    const world = await openInfluenceWorld()
    const run = await world.run('killed')
    const asked = 300
    await world.ask(run, 0, asked / 2)
    for (const answered of [1, 100]) {
      const worker = torchWorker(python!, run, '--instance', 'one')
      await untilAnswered(world, run, answered)
      worker.process.kill('SIGKILL')
      await worker.exited
      expect((await world.rewards(run)).length).toBeLessThan(asked)
    }
    const { code, stderr } = await torchWorker(python!, run, '--instance', 'one', '--until-idle').exited
    expect(code, stderr).toBe(0)
    const rewards = (await world.rewards(run)).map(({ value }) => identity(value))
    expect(rewards).toHaveLength(asked)
    expect(new Set(rewards).size).toBe(asked)
  })
})
