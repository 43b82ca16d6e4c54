import { rmSync } from 'node:fs'
import { describe, expect, inject, test } from 'vitest'
import { type PythonTrainer, startPythonTrainer } from '../../deploy/demo/python-trainer.ts'
import { runTopics, type Work } from '../../schemas/index.ts'
import { type RunningTrainer, startRunStations, startTrainer } from '../../services/host/run.ts'
import { readSafetensors } from '../../services/model/safetensors.ts'
import { readProgress, readTopic } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { checkpointPath } from '../../services/trainer/checkpoints.ts'
import { workKey } from '../../topologies/ledger/pieces.ts'
import { pythonWith } from '../support/python.ts'
import { fail, openWorld, type World } from './loop-world.ts'

const { python, missing } = pythonWith('services/trainer/python', [
  'torch',
  'transformers',
  'confluent_kafka',
  'fastavro',
])
const title = `the reference trainer by PyTorch${missing === undefined ? '' : ` (skipped: ${missing})`}`

const onWorld = ({ folder, database }: World): PythonTrainer => ({
  python: python!,
  folder,
  env: process.env,
  addresses: {
    ...{ brokers: inject('brokers'), registryUrl: inject('registryUrl') },
    ...{ clickhouseUrl: inject('clickhouseUrl'), database },
  },
})

async function ended(trainer: RunningTrainer): Promise<void> {
  await trainer.done
  await trainer.close()
}

/** What was booked in the ledger of a run, in the order of the log. */
const worksOf = async (runtime: World['runtime'], run: string): Promise<Work[]> =>
  (await readTopic(runtime, runTopics(run).work.name)).map(({ value }) => value as Work)

const byIdentity = (works: readonly Work[]) => new Map(works.map((work) => [workKey(work), work]))

describe.skipIf(missing !== undefined)(title, { timeout: 240_000 }, () => {
  test('ends with the losses and weights of the one in TypeScript, and each goes on with the other’s checkpoint', async () => {
    const world = await openWorld(40)
    const { runtime, model } = world
    const trainer = { batch: 2, context: 24, reportSteps: 1, warmupSteps: 2 }
    const run = world.run('both', {}, { updateSteps: 2, steps: 6, sampleDocuments: 0, trainer })
    await submitRun(runtime, run)
    const stations = await startRunStations(runtime, run, model, { onFailure: fail })
    const byTypeScript = async () => ended(await startTrainer(runtime, run, model, { onFailure: fail }))
    const told: number[] = []
    const byPython = async () =>
      ended(
        await startPythonTrainer(onWorld(world), runtime, run, {
          onFailure: fail,
          onProgress: ({ step }) => void told.push(step),
        }),
      )
    const files = [2, 4, 6].map((step) => checkpointPath(run.checkpoints, run.name, step))
    await byTypeScript()
    const first = await readProgress(runtime, run.name)
    const booked = await worksOf(runtime, run.name)
    expect([...byIdentity(booked).keys()]).toContain('training/reference trainer/steps/0/0-1')
    const weights = await Promise.all(files.map((file) => readSafetensors(file)))
    // From the beginning; from the checkpoint of step 2 that it wrote; from that of step 4, which TypeScript wrote.
    for (const file of files) rmSync(file)
    await byPython()
    // The same pieces of work: whichever trainer makes a step, it is booked once.
    const again = byIdentity((await worksOf(runtime, run.name)).slice(booked.length))
    expect([...again.keys()].sort()).toEqual([...byIdentity(booked).keys()].sort())
    for (const [key, { seconds, ...work }] of again) {
      expect(byIdentity(booked).get(key)).toMatchObject(work)
      expect(seconds).toBeGreaterThan(0)
      expect(seconds).toBeLessThan(60)
    }
    rmSync(files[1]!)
    rmSync(files[2]!)
    await byTypeScript()
    rmSync(files[2]!)
    await byPython()

    // Of each step the last report counts, whoever made it.
    const reports = await readProgress(runtime, run.name)
    expect(reports.map(({ step }) => step)).toEqual(first.map(({ step }) => step))
    expect(told).toEqual(expect.arrayContaining([0, 1, 2, 3, 4, 5, 6]))
    for (const [i, report] of reports.entries()) {
      const { step, tokens, round, position, ...before } = first[i]!
      expect(report).toMatchObject({ step, tokens, round, position })
      for (const loss of ['referenceLoss', 'corpusLoss'] as const) {
        if (step % 2 === 1) expect(report[loss]).toBeNull()
        else expect(report[loss]).toBeCloseTo(before[loss]!, 3)
      }
    }
    for (const [i, file] of files.entries()) {
      const { tensors } = await readSafetensors(file)
      expect([...tensors.keys()].sort()).toEqual([...weights[i]!.tensors.keys()].sort())
      const name = 'model.layers.0.mlp.up_proj.weight'
      const [ours, theirs] = [weights[i]!.tensors.get(name)!.data, tensors.get(name)!.data]
      const apart = Math.max(...theirs.map((value, n) => Math.abs(value - ours[n]!)))
      expect(apart).toBeLessThan(2e-3)
      expect(Math.max(...ours.map(Math.abs))).toBeGreaterThan(0.05)
    }
    await closeAll(stations)
  })

  test('a program that fails says why, in winnow’s own words', async () => {
    const world = await openWorld(3)
    const run = world.run('unrecorded')
    const failures: unknown[] = []
    const trainer = await startPythonTrainer(onWorld(world), world.runtime, run, {
      onFailure: (error) => void failures.push(error),
    })
    const code = { code: 'CONFIGURATION', message: expect.stringContaining(`there is no run ${run.name}`) }
    await expect(trainer.done).rejects.toMatchObject(code)
    await trainer.close()
    expect(failures).toEqual([expect.objectContaining(code)])
  })
})
