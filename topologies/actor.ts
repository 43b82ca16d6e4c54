import { concatMap, defer, type OperatorFunction } from 'rxjs'
import type { ActorState } from '../schemas/index.ts'
import type { Delivered } from './node.ts'
import { type CollectedRound, collectRounds } from './rounds/collect.ts'
import { type Configuration, configurationBy } from './rounds/configuration.ts'
import { mappedMemory } from './rounds/subcategories.ts'
import type { RunConfig } from './run-config.ts'
import { type ActorMemory, initialMemory } from './selection/actor-memory.ts'
import type { ActorConfig, SelectionConfig } from './selection/config.ts'
import { foldActor, foldActorJointly, foldCells } from './selection/fold.ts'
import { heldOutOf, withoutHeldOut } from './selection/hold-out.ts'
import { fitJoint } from './selection/joint.ts'
import { foldedActors, initialCells } from './selection/joint-cells.ts'
import { jointCells } from './selection/joint-config.ts'
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
  return (records$) =>
    defer(() => {
      const fold = actorFold(run, actorName, restored)
      return records$.pipe(
        collectRounds(run.selection, restored?.round, restored?.inputOffsets),
        concatMap((round) => fold(round)),
      )
    })
}

/** The same for rounds that are collected already: give it one after the other, ascending. It answers with the state, or nothing if the actor has none. */
export function actorFold(
  run: RunConfig,
  actorName: string,
  restored?: ActorState,
): (round: CollectedRound) => ActorState[] {
  let memory = restored === undefined ? undefined : memoryOf(restored)
  return (round) => {
    memory = foldOne(run, actorName, memory, round)
    return memory === undefined ? [] : [stateOf(run.name, actorName, memory, round)]
  }
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
  if (!foldedActors(config).includes(actorName)) return undefined
  const actor = config.actors.find(({ name }) => name === actorName)
  const promoted = opened.promoted?.actors.find((one) => one.actor === actorName)
  const memory =
    promoted === undefined ? memoryBefore(configuration, config, actor, before, opened.round) : memoryOf(promoted)
  if (opened.round === 0) return memory
  const heldOut = heldOutOf(config, opened.round)
  const names = config.actors.map(({ name }) => name)
  const accepted = ledger.accepted(names, closed.rewardOffsets).map((columns) => withoutHeldOut(columns, heldOut))
  const transform = rewardTransform(
    config.rewardTransform,
    accepted.map(({ rewards }) => rewards),
  )
  if (config.collaboration === 'joint') {
    const { parts, cells } = fitJoint(config, opened.round, accepted, transform)
    if (actor === undefined) return foldCells(config, opened.round, memory, cells!, jointCells(config)!)
    return foldActorJointly(config, actor, opened.round, memory, parts[config.actors.indexOf(actor)]!)
  }
  const own = accepted.find((one) => one.actor === actorName)!
  return foldActor(config, actor!, opened.round, memory, own.subcategories, own.rewards.map(transform))
}

/** What cells are made of: the actors that are not frozen, by whose labels. */
const cellsIn = ({ selection: { actors }, labelers }: RunConfig): string =>
  actors.flatMap(({ name, frozen }) => (frozen === true ? [] : [`${name} ${labelers[name]}`])).join()

/** Of an actor that joins the initial one, and of residuals where cells become others. @param actor undefined: residuals */
function memoryBefore(
  configuration: Configuration,
  config: SelectionConfig,
  actor: ActorConfig | undefined,
  before: ActorMemory | undefined,
  round: number,
): ActorMemory {
  if (actor === undefined) {
    const areOthers = cellsIn(configuration.at(round)) !== cellsIn(configuration.at(round - 1))
    return before === undefined || areOthers ? initialCells(config) : before
  }
  if (before === undefined || configuration.joinsAt(actor.name, round)) return initialMemory(actor)
  const mappings = configuration.mappingsAt(actor.name, round)
  return mappings.reduce((memory, mapped) => mappedMemory(memory, mapped), before)
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
export function memoryOf(state: Pick<ActorState, 'weights' | 'rewards' | 'counts' | 'everRewarded'>): ActorMemory {
  return {
    weights: state.weights,
    rewards: state.rewards,
    counts: state.counts,
    everRewarded: state.weights.map((_, j) => state.everRewarded.includes(j)),
  }
}
