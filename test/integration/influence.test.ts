import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import type { Reward, RewardRequest } from '../../schemas/index.ts'
import { Reward as RewardRecord, runTopics } from '../../schemas/index.ts'
import { startInfluence, startRunStations, startTrainer } from '../../services/host/run.ts'
import { createRunInfluence } from '../../services/influence/model.ts'
import { readTopic } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { closeAll } from '../../services/runtime/service.ts'
import type { Outgoing } from '../../topologies/node.ts'
import { Influence } from '../../topologies/stations/influence.ts'
import { winnow } from '../services/cli/winnow.ts'
import { spearman } from '../services/model/support.ts'
import { corpusLines, fail, openWorld } from './loop-world.ts'

test('rewards for two reference tasks record how they were computed, are bit-identical whichever worker computes them, and pass validation', async () => {
  const world = await openWorld(60)
  const { runtime, model, folder } = world
  const second = join(folder, 'second-task.jsonl')
  writeFileSync(second, corpusLines(391, 4))
  const other = join(folder, 'other-text.jsonl')
  writeFileSync(other, corpusLines(397, 4))
  const base = world.run('tasks')
  const run = {
    ...base,
    influence: { ...base.influence, windowsMax: 2, overlap: 8, combine: 'max' as const },
    reference: { ...base.reference, moreRewards: [second], other },
  }
  await submitRun(runtime, run)
  const services = await startRunStations(runtime, run, model, { onFailure: fail })
  // A second worker, as in another process, with a pool of its own: they share the partitions.
  const elsewhere = await world.connect()
  services.push({ name: 'connection', close: () => elsewhere.close() })
  services.push(...(await startInfluence(elsewhere, run, model, { influenceWorkers: 2, onFailure: fail })))
  const trainer = await startTrainer(runtime, run, model, { onFailure: fail })
  services.push(trainer)
  await trainer.done
  await closeAll(services)

  const of = runTopics(run.name)
  const rewards = (await readTopic(runtime, of.rewards.name)).map(({ value }) => value as Reward)
  const requests = await readTopic(runtime, of.rewardRequests.name)
  const keyOf = ({ round, actor, docId }: Pick<RewardRequest, 'round' | 'actor' | 'docId'>) =>
    `${round} ${actor} ${docId}`
  const byKey = (all: readonly Reward[]) => new Map(all.map((reward) => [keyOf(reward), reward]))
  const answers = byKey(rewards)
  expect([...answers.keys()].sort()).toEqual(requests.map(({ value }) => keyOf(value as RewardRequest)).sort())
  expect(answers.size).toBeGreaterThan(20)
  // Where partitions moved from one worker to the other, a request may have been answered by both: the same.
  for (const reward of rewards) expect(reward).toEqual(answers.get(keyOf(reward)))
  const checkpoints = join(run.checkpoints, run.name)
  const digests = readdirSync(checkpoints).map((name) =>
    createHash('sha256')
      .update(readFileSync(join(checkpoints, name)))
      .digest('hex'),
  )
  for (const { reward, taskRewards, ...how } of rewards) {
    expect(taskRewards).toHaveLength(3)
    // That on other text is the last, and is not combined.
    expect(reward).toBe(Math.max(...taskRewards!.slice(0, 2)))
    expect(how).toMatchObject({
      graphDigest: model.description.graphs.influence.sha256,
      estimator: 'gradient/cosine/identity/max-of-2/other-text',
      projectionSeed: 'winnow',
    })
    expect(digests).toContain(how.checkpointDigest)
  }
  expect(new Set(rewards.map(({ checkpointDigest }) => checkpointDigest)).size).toBe(2)

  // The requests come again, as after a crash or a rebalance: other batches, the other way round, to another pool of threads.
  const again: Outgoing[] = []
  const another = await createRunInfluence(run, model, 2)
  const send = async (records: readonly Outgoing[]) => {
    again.push(...records)
    return []
  }
  const deadLetter = (_delivered: unknown, reason: string) => fail(new Error(reason))
  const station = new Influence(another, { send, transaction: (work) => work(send), deadLetter })
  const backwards = requests.toReversed()
  for (let from = 0; from < backwards.length; from += 7) await station.process(backwards.slice(from, from + 7))
  await another.close()
  expect(again.every(({ record }) => record === RewardRecord)).toBe(true)
  expect(byKey(again.map(({ value }) => value as Reward))).toEqual(answers)

  const { code, stdout, stderr } = await winnow(
    ['influence', 'validate', '--run', run.name, '--documents', '15', '--workers', '2', '--out', 'report', '--json'],
    {
      WINNOW_BROKERS: inject('brokers').join(','),
      WINNOW_REGISTRY_URL: inject('registryUrl'),
      WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
      WINNOW_CLICKHOUSE_DATABASE: world.database,
    },
    folder,
  )
  expect(code, stderr).toBe(0)
  const report = JSON.parse(stdout) as {
    [name: string]: unknown
    files: string[]
    documents: { docId: string; gradient: number; probe: number }[]
  }
  expect(report).toMatchObject({
    run: run.name,
    step: 6,
    gradient: 'gradient/cosine/identity',
    probe: 'probe/cosine/0.01',
  })
  expect(new Set(report.documents.map(({ docId }) => docId)).size).toBe(15)
  const [gradients, probes] = [report.documents.map((one) => one.gradient), report.documents.map((one) => one.probe)]
  expect(report.spearman).toBeCloseTo(spearman(gradients, probes), 12)
  expect(report.taskSpearman).toHaveLength(2)
  const [svg, csv] = report.files.map((file) => readFileSync(file, 'utf8'))
  expect(svg!.match(/<circle /g)).toHaveLength(15)
  expect(csv!.trimEnd().split('\n').slice(1)).toEqual(
    report.documents.map(({ docId, gradient, probe }) => `${docId},${gradient},${probe}`),
  )
})
