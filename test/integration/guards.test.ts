import { expect, test } from 'vitest'
import { type Document, type Label, labelsTopic, type Reward, runTopics, topics } from '../../schemas/index.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { readRecordedRun, readTopic } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { replayRun } from '../../services/runs/replay/changes.ts'
import { replay } from '../../services/runs/replay/replay.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { readsKnown } from '../../topologies/console/reads.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { type NaiveConfig, type NaiveDocument, type NaiveReward, naiveRun } from '../topologies/selection/naive.ts'
import { decidedInMemory, decidedOnCluster } from './loop-memory.ts'
import { fail, openWorld, type World } from './loop-world.ts'

async function trained({ runtime, model }: World, run: RunConfig): Promise<void> {
  await submitRun(runtime, run)
  const services = await startRunStations(runtime, run, model, { onFailure: fail })
  const trainer = await startTrainer(runtime, run, model, { onFailure: fail })
  await trainer.done
  await closeAll([...services, trainer])
}

/** What the specification, read literally, selects of the documents, labels and rewards in the cluster's log. @param guards none: as if the run had none */
async function asSpecified({ runtime }: World, run: RunConfig, guards: NaiveConfig['guards'] | undefined) {
  const read = async <T>(topic: string) => (await readTopic(runtime, topic)).map(({ value }) => value as T)
  const { actors, seed, budget } = run.selection
  const labels = new Map<string, Record<string, number>>()
  for (const { name } of actors)
    for (const { docId, subcategory } of await read<Label>(labelsTopic(name).name))
      labels.set(`${docId}`, { ...labels.get(`${docId}`), [name]: subcategory })
  const documents = (await read<Document>(topics.documents.name)).map(
    ({ docId, tokens }): NaiveDocument => ({ docId: `${docId}`, tokens, labels: labels.get(`${docId}`)! }),
  )
  const rewards = (await read<Reward>(runTopics(run.name).rewards.name)).map(
    ({ round, actor, docId, reward }): NaiveReward => ({ round, actor, docId: `${docId}`, reward }),
  )
  const { opened, manifests } = await readRecordedRun(runtime, run.name)
  const known = [...readsKnown(opened)].flatMap(([round, m]): [number, number][] => (m === null ? [] : [[round, m]]))
  const config: NaiveConfig = {
    ...{ seed: `${seed}`, budget, rewardTransform: { kind: 'standardize' }, unrewarded: 'mean' },
    actors: Object.fromEntries(actors.map(({ name, subcategories, eta }) => [name, { subcategories, eta }])),
    ...(guards !== undefined && { guards }),
  }
  const rounds = manifests.map(({ round }) => round).filter((round) => round > 0)
  const specified = naiveRun(config, documents, rewards, rounds, Object.fromEntries(known))
  if (specified === 'normalization') return expect.unreachable()
  return { documents, ids: specified.map(({ ids }) => ids.map(BigInt)) }
}

test('selections with floors, caps, pins and a bound on repetitions are, by SQL on a cluster, those of the specification to the last id', async () => {
  const world = await openWorld(60)
  const { runtime, config } = world
  const kind = config.actors[0]!.name
  const guardsOf = (rules: [string, string, number][], repetitions?: number) => ({
    rules: rules.map(([way, subcategory, share]) => ({ kind: way as 'floor', actor: kind, subcategory, share })),
    ...(repetitions !== undefined && { repetitions: { most: repetitions } }),
  })
  const bounds = world.run('bounds', {
    guards: guardsOf(
      [
        ['floor', 'ledger', 0.55],
        ['cap', 'kitchen', 0.2],
      ],
      1,
    ),
  })
  const pins = world.run('pins', { budget: { tokens: 300 }, guards: guardsOf([['pin', 'harbour', 0.6]]) })
  await Promise.all([trained(world, bounds), trained(world, pins)])

  for (const run of [bounds, pins]) {
    const onCluster = await decidedOnCluster(runtime, run)
    expect(onCluster.manifests).toHaveLength(3)
    expect(onCluster).toEqual(await decidedInMemory(runtime, run))
    const { ids } = await asSpecified(world, run, run.selection.guards as NaiveConfig['guards'])
    expect(onCluster.selected).toEqual(ids)
    // Every round would be another without the guards: they bind.
    const without = await asSpecified(world, run, undefined)
    for (const [round, selected] of onCluster.selected.entries()) expect(selected).not.toEqual(without.ids[round])
    const again = await replay({ runtime, recorded: run, replay: replayRun(run, `${run.name}-again`) })
    expect(again.map(({ firstDifference }) => firstDifference)).toEqual([undefined, undefined, undefined])
  }

  const { documents, ids } = await asSpecified(world, bounds, bounds.selection.guards as NaiveConfig['guards'])
  const kindOf = new Map(documents.map(({ docId, labels }) => [docId, labels[kind]!]))
  const taken = ids.map((of) => [0, 1, 2].map((j) => of.filter((id) => kindOf.get(`${id}`) === j).length))
  // Of twenty documents at least eleven ledgers and at most four of the kitchen.
  for (const [harbour, kitchen, ledger] of taken) {
    expect(harbour! + kitchen! + ledger!).toBe(20)
    expect(kitchen).toBeLessThanOrEqual(4)
    expect(ledger).toBeGreaterThanOrEqual(11)
  }
})
