import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { type Progress, type RoundAdopted, runTopics } from '../../../schemas/index.ts'
import { createRunTopics } from '../../../services/connections/connections.ts'
import { startRunStations } from '../../../services/host/run.ts'
import { type Model, openModel } from '../../../services/model/model.ts'
import { readTopic } from '../../../services/runs/recorded.ts'
import { closeAll } from '../../../services/runtime/service.ts'
import { SelectionReader } from '../../../services/selections/selection-reader.ts'
import { checkpointPath } from '../../../services/trainer/checkpoints.ts'
import { train } from '../../../services/trainer/trainer.ts'
import type { SwitchMode } from '../../../topologies/run-config.ts'
import { fillByParity, memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-modes-'))
const samples = join(folder, 'reference.jsonl')
const textOf = (n: number) => `the ${n % 2 === 0 ? 'ship left the harbour' : 'bread came warm'} at ${n}`
let model: Model
beforeAll(async () => {
  writeFileSync(samples, `${JSON.stringify({ text: textOf(4) })}\n`)
  model = await openModel({ graphs: demoGraphs })
})
afterAll(async () => {
  await model.close()
  rmSync(folder, { recursive: true })
})

const modes: SwitchMode[] = ['wait', { lag: 1 }, { ready: 2 }]

describe.each(modes.map((mode, i) => ({ mode, name: `mode-${i}` })))('mode $mode', ({ mode, name }) => {
  test('each beginning of a round is recorded, and a training that goes back to its first checkpoint makes the same again, to the bit', async () => {
    const runtime = await memoryRuntime()
    await fillByParity(runtime.store, 40, textOf)
    const run = parityRun(
      name,
      { repeat: 'exclude', budget: { documents: 4 } },
      {
        ...{ steps: 8, sampleDocuments: 0, model: demoGraphs, checkpoints: folder },
        trainer: { batch: 2, context: 8, reportSteps: 1, warmupSteps: 0, switch: mode },
        reference: { reward: samples, evaluation: samples, corpus: samples },
      },
    )
    await createRunTopics(runtime.kafka, run)
    const onFailure = (error: unknown) => {
      throw error
    }
    const services = await startRunStations(runtime, run, model, { onFailure })
    const training = async () => {
      await using reader = await SelectionReader.open({ ...runtime, run: name, reader: 'test' })
      const producer = await runtime.kafka.producer({ transactionalId: 'trainer' })
      await train(run, { ...runtime, reader, producer, model }, new AbortController().signal)
      const records = await readTopic(runtime, runTopics(name).progress.name)
      const reports = records.filter(({ record }) => record === 'Progress').map(({ value }) => value as Progress)
      const adopted = records
        .filter(({ record }) => record === 'RoundAdopted')
        .map(({ value }) => value as RoundAdopted)
      return { reports, adopted, last: reports.at(-1)! }
    }
    const once = await training()
    for (const step of [4, 6, 8]) rmSync(checkpointPath(folder, name, step))
    const again = await training()
    await closeAll(services)

    expect(again.last).toEqual(once.last)
    const begun = once.adopted.filter(({ step, previousRead }) => step === 0 || previousRead !== null)
    // A report says of each step which round it was trained on.
    const rounds = Array.from({ length: run.steps }, (_, step) => begun.findLast((one) => one.step <= step)!.round)
    const reported = new Map(once.reports.map(({ step, round }) => [step, round]))
    expect(rounds.map((_, step) => reported.get(step + 1))).toEqual(rounds)
    if (mode === 'wait') expect(rounds).toEqual([0, 0, 1, 1, 2, 2, 3, 3])
    else if (typeof mode === 'object' && 'lag' in mode) expect(rounds).toEqual([0, 0, 0, 1, 1, 2, 2, 3])
    else expect(rounds).toEqual(rounds.toSorted())
    for (const [i, one] of begun.entries()) {
      const before = once.reports.findLast(({ step }) => step === one.step)!
      expect(one).toMatchObject({ run: name, sequenceFirst: 2 * one.step, previousRound: begun[i - 1]?.round ?? null })
      if (i > 0) expect(one.previousRead).toBe(before.position)
    }
    // The second time every beginning after the first checkpoint is recorded again, and nothing else is decided.
    const after = begun.filter(({ step }) => step >= 2)
    expect(again.adopted.slice(once.adopted.length)).toEqual(after)
  })
})
