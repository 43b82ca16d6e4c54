import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { type Reward, runTopics } from '../../schemas/index.ts'
import { createRunTopics } from '../../services/connections/connections.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { openModel } from '../../services/model/model.ts'
import { readProgress, readTopic } from '../../services/runs/recorded.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { fillByParity, memoryRuntime, parityRun } from '../support/memory-runtime.ts'

const textOf = (n: number) =>
  `the ${n % 2 === 0 ? 'ship left the harbour' : 'bread came warm'} at ${n} and ${n * n} said so`

/** Plays a run `r` of three rounds with a trainer and an influence worker. @returns its rewards in order, and where its checkpoints are */
export async function rewardsOfRun(checkpoints: string): Promise<{ rewards: Reward[]; places: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-stored-run-'))
  const samples = join(folder, 'reference.jsonl')
  writeFileSync(samples, [4, 5].map((n) => `${JSON.stringify({ text: textOf(n) })}\n`).join(''))
  const run = parityRun(
    'r',
    {},
    {
      trainer: { batch: 2, context: 8, reportSteps: 1, warmupSteps: 0 },
      reference: { reward: samples, evaluation: samples, corpus: samples },
      model: demoGraphs,
      checkpoints,
    },
  )
  const model = await openModel({ graphs: demoGraphs })
  try {
    const runtime = await memoryRuntime()
    await fillByParity(runtime.store, 40, textOf)
    await createRunTopics(runtime.kafka, run)
    const failed = Promise.withResolvers<never>()
    const hooks = { onFailure: failed.reject }
    const services = await startRunStations(runtime, run, model, hooks)
    const trainer = await startTrainer(runtime, run, model, hooks)
    try {
      await Promise.race([trainer.done, failed.promise])
    } finally {
      await closeAll([...services, trainer])
    }
    const order = ({ round, actor, docId }: Reward) => `${round} ${actor} ${docId}`
    const rewards = (await readTopic(runtime, runTopics('r').rewards.name)).map(({ value }) => value as Reward)
    return {
      rewards: rewards.sort((a, b) => (order(a) < order(b) ? -1 : 1)),
      places: (await readProgress(runtime, 'r')).flatMap(({ checkpoint }) => checkpoint?.path ?? []),
    }
  } finally {
    await model.close()
    rmSync(folder, { recursive: true })
  }
}
