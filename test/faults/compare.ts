import { expect } from 'vitest'
import {
  type ActorState,
  Manifest,
  type Reward,
  type RewardRequest,
  RoundClosed,
  RoundOpened,
  runTopics,
  type SelectionChunk,
} from '../../schemas/index.ts'
import { chunkCount, stretchesFrom } from '../../topologies/console/parts.ts'
import type { Delivered } from '../../topologies/node.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Expected } from './oracle.ts'
import { layout } from './stations.ts'
import type { World } from './world.ts'

/** What the console wrote is the oracle's: each decision once and in order, each request once, every selection to the bit. */
export async function expectConsole(world: World, run: RunConfig, expected: Expected): Promise<void> {
  const of = runTopics(run.name)
  const decisions = await world.records(of.consoleState.name)
  const rounds = expected.manifests.map(({ round }) => round)
  expect(decisions.map(({ record, value }) => `${record} ${(value as Manifest).round}`)).toEqual(
    rounds.flatMap((round) => [`RoundOpened ${round}`, `RoundClosed ${round}`, `Manifest ${round}`]),
  )
  const valuesOf = <T>(name: string) => decisions.flatMap(({ record, value }) => (record === name ? [value as T] : []))
  const named = <T extends { run: string }>(values: readonly T[]) =>
    values.map((value) => ({ ...value, run: run.name }))
  expect(valuesOf<RoundOpened>(RoundOpened.name)).toEqual(named(expected.opened))
  for (const closed of valuesOf<RoundClosed>(RoundClosed.name))
    expect(closed).toMatchObject({ reason: 'answered', missing: 0 })
  const manifests = valuesOf<Manifest>(Manifest.name)
  const withoutPlace = ({ chunkOffsetFirst: _, parts: __, chunkDocuments: ___, ...manifest }: Manifest) => manifest
  expect(manifests.map(withoutPlace)).toEqual(named(expected.manifests).map(withoutPlace))
  await expectRequests(world, run, expected)
  await expectSelections(await world.records(of.selections.name), manifests, expected)
}

const identity = ({ round, actor, docId }: RewardRequest | Reward) => `${round}/${actor}/${docId}`

/** Each once, in the console's order within a partition. */
async function expectRequests(world: World, run: RunConfig, expected: Expected): Promise<void> {
  const requests = (await world.records(runTopics(run.name).rewardRequests.name)) as Delivered<RewardRequest>[]
  const place = new Map(expected.requests.map((request, i) => [identity(request), i]))
  expect(requests.map(({ value }) => identity(value)).sort()).toEqual([...place.keys()].sort())
  for (const ofPartition of Map.groupBy(requests, ({ partition }) => partition).values()) {
    const places = ofPartition.map(({ value }) => place.get(identity(value))!)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
  }
}

/**
 * Chunks stand where the manifests say, each where the one before it ended. Others are of a console that was killed between two parts:
 * no manifest names them, and they hold what the manifest's hold.
 */
async function expectSelections(
  chunks: readonly Delivered[],
  manifests: readonly Manifest[],
  expected: Expected,
): Promise<void> {
  const unnamed = new Map((chunks as readonly Delivered<SelectionChunk>[]).map(({ offset, value }) => [offset, value]))
  for (const [i, manifest] of manifests.entries()) {
    expect(manifest.chunkDocuments).toBe(layout.chunkDocuments)
    expect(manifest.parts.map(({ chunkFirst }) => chunkFirst)).toEqual(
      Array.from(
        { length: Math.ceil(chunkCount(manifest) / layout.partChunks) },
        (_, part) => part * layout.partChunks,
      ),
    )
    const ids: bigint[] = []
    for (const { offsetFirst, chunks: count } of stretchesFrom(manifest, 0)) {
      for (let offset = offsetFirst; offset < offsetFirst + count; offset++) {
        expect(unnamed.get(offset)).toMatchObject({ round: manifest.round, indexFirst: ids.length })
        ids.push(...unnamed.get(offset)!.docIds)
        unnamed.delete(offset)
      }
    }
    expect(ids).toEqual(expected.selected[i])
  }
  for (const { round, indexFirst, docIds } of unnamed.values()) {
    const i = manifests.findIndex((manifest) => manifest.round === round)
    expect([...docIds]).toEqual(expected.selected[i]!.slice(indexFirst, indexFirst + docIds.length))
  }
}

/** Every state of every actor is there; of repeats each is the same to the bit. */
export async function expectActors(world: World, run: RunConfig, expected: Expected): Promise<void> {
  const states = (await world.records(runTopics(run.name).actorState.name)) as Delivered<ActorState>[]
  const key = ({ actor, round }: ActorState) => `${actor}/${round}`
  const wanted = new Map(expected.actorStates.map((state) => [key(state), state]))
  expect(new Set(states.map(({ value }) => key(value)))).toEqual(new Set(wanted.keys()))
  for (const { value } of states) {
    const { inputOffsets: _, run: __, ...state } = wanted.get(key(value))!
    expect(value).toMatchObject(state)
  }
}

/** Every request has its answer; of repeats each is the same to the bit. */
export async function expectRewards(world: World, run: RunConfig, expected: Expected): Promise<void> {
  const rewards = (await world.records(runTopics(run.name).rewards.name)) as Delivered<Reward>[]
  const wanted = new Map(expected.rewards.map((reward) => [identity(reward), reward]))
  expect(new Set(rewards.map(({ value }) => identity(value)))).toEqual(new Set(wanted.keys()))
  for (const { value } of rewards) expect(value).toEqual({ ...wanted.get(identity(value))!, run: run.name })
}
