import { concatMap, type OperatorFunction, pipe, scan } from 'rxjs'
import type { ActorState } from '../schemas/index.ts'
import type { Delivered } from './node.ts'
import { type CollectedRound, collectRounds } from './rounds/collect.ts'
import { configurationBy } from './rounds/configuration.ts'
import type { RunConfig } from './run-config.ts'
import { type ActorMemory, initialMemory } from './selection/actor-memory.ts'
import { foldActor, foldActorJointly } from './selection/fold.ts'
import { heldOutOf, withoutHeldOut } from './selection/hold-out.ts'
import { fitJoint } from './selection/joint.ts'
import { rewardTransform } from './selection/rewards.ts'

/**
 * One actor of a run (Definition 1): rounds and rewards in, its state after each round out, as an RxJS operator.
 *
 * It reads the rewards of all actors, because `standardize` is over the whole round. Round 0 has no rewards: its state is the initial
 * one. An actor that was added begins with the round at which it joins, and ends with its removal. The state is a pure function of the log:
 * order of arrival, partitioning and repeats do not change a bit.
 * @param run as it was recorded
 * @param restored the actor's last state, from which to continue; its `inputOffsets` say where to resume reading
 */
export function foldRounds(
  run: RunConfig,
  actorName: string,
  restored?: ActorState,
): OperatorFunction<Delivered, ActorState> {
  const memory = restored === undefined ? undefined : memoryOf(restored)
  return pipe(
    collectRounds(run.selection.rewardTransform, restored?.round, restored?.inputOffsets),
    scan<CollectedRound, { memory: ActorMemory | undefined; round: CollectedRound | undefined }>(
      ({ memory: before }, round) => ({ memory: foldOne(run, actorName, before, round), round }),
      { memory, round: undefined },
    ),
    concatMap(({ memory: after, round }) => (after === undefined ? [] : [stateOf(run.name, actorName, after, round!)])),
  )
}

/** @returns undefined if the actor is no part of the run in this round */
function foldOne(
  run: RunConfig,
  actorName: string,
  before: ActorMemory | undefined,
  { opened, closed, ledger, changed }: CollectedRound,
): ActorMemory | undefined {
  const configuration = configurationBy(run, changed)
  const config = configuration.at(opened.round).selection
  const actor = config.actors.find(({ name }) => name === actorName)
  if (actor === undefined) return undefined
  const joins = configuration.joinsAt(actorName, opened.round)
  const memory = before === undefined || joins ? initialMemory(actor) : before
  if (opened.round === 0) return memory
  const heldOut = heldOutOf(config, opened.round)
  const names = config.actors.map(({ name }) => name)
  const accepted = ledger.accepted(names, closed.rewardOffsets).map((columns) => withoutHeldOut(columns, heldOut))
  const transform = rewardTransform(
    config.rewardTransform,
    accepted.map(({ rewards }) => rewards),
  )
  if (config.collaboration === 'joint') {
    const parts = fitJoint(config, opened.round, accepted, transform)
    return foldActorJointly(config, actor, opened.round, memory, parts[config.actors.indexOf(actor)]!)
  }
  const own = accepted.find((one) => one.actor === actorName)!
  return foldActor(config, actor, opened.round, memory, own.subcategories, own.rewards.map(transform))
}

const stateOf = (
  run: string,
  actor: string,
  memory: ActorMemory,
  { opened, inputOffsets }: CollectedRound,
): ActorState => ({
  run,
  actor,
  round: opened.round,
  weights: memory.weights,
  rewards: memory.rewards,
  counts: memory.counts,
  everRewarded: memory.everRewarded.flatMap((ever, j) => (ever ? [j] : [])),
  inputOffsets: [...inputOffsets],
})

/** The actor's memory, from its state in the log. */
export function memoryOf(state: ActorState): ActorMemory {
  return {
    weights: state.weights,
    rewards: state.rewards,
    counts: state.counts,
    everRewarded: state.weights.map((_, j) => state.everRewarded.includes(j)),
  }
}
