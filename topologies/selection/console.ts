import { WinnowError } from '../errors.ts'
import { type ActorMemory, initialMemory } from './actor-memory.ts'
import type { SelectionConfig } from './config.ts'
import { foldActor, foldActorJointly, foldCells } from './fold.ts'
import { fitJoint } from './joint.ts'
import { initialCells } from './joint-cells.ts'
import { jointCells } from './joint-config.ts'
import { normalizedBySum } from './normalize.ts'
import { updateThetaAsCode } from './paper-code.ts'
import { type RewardColumns, rewardTransform } from './rewards.ts'
import { asCode } from './strategy.ts'

/** The collaborative weights after a round, by actor in configuration order. */
export interface ConsoleState {
  theta: number[]
  /** R_A (Eq. 7); null for an actor without rewards in the round. */
  actorRewards: (number | null)[]
}

/** A run's state between rounds, apart from reads. Arrays are by actor in configuration order; `actors` may end with residuals (`cellsActor`). */
export interface SelectionState extends ConsoleState {
  actors: ActorMemory[]
}

export function initialState(config: SelectionConfig): SelectionState {
  return {
    actors: [...config.actors.map(initialMemory), ...(jointCells(config) === undefined ? [] : [initialCells(config)])],
    theta: config.actors.map((actor) => actor.initialTheta),
    actorRewards: config.actors.map(() => null),
  }
}

/** R_A (Eq. 7): the mean of the updated w_A^j * R_A^j over the subcategories with rewards, in index order; null without any. */
function actorReward(weights: readonly number[], rewards: readonly (number | null)[]): number | null {
  let sum = 0
  let count = 0
  for (const [j, reward] of rewards.entries()) {
    if (reward === null) continue
    sum += weights[j]! * reward
    count += 1
  }
  return count === 0 ? null : sum / count
}

/**
 * The console's update at the close of a round k >= 1 (Eq. 7 and 8), then `normalize: sum`. An actor without rewards keeps its theta
 * (up to the normalization). With `update: code` in the strategy's score, as the authors' code does (`updateThetaAsCode`); with `collaboration: joint`
 * theta stays and no R_A is computed; with `theta: fixed` it stays.
 * @param weights w_A after this round's `foldActor`, by actor in configuration order
 * @param rewards R_A^j of this round, likewise
 * @throws WinnowError NORMALIZATION, or BAD_DATA if a theta is no longer finite
 */
export function updateTheta(
  config: SelectionConfig,
  round: number,
  theta: readonly number[],
  weights: readonly (readonly number[])[],
  rewards: readonly (readonly (number | null)[])[],
): ConsoleState {
  if (asCode(config.strategy)) return updateThetaAsCode(config.actors, round, theta, rewards)
  // The joint fit has shared the credit already.
  if (config.collaboration === 'joint') return { theta: [...theta], actorRewards: config.actors.map(() => null) }
  const actorRewards = weights.map((actorWeights, a) => actorReward(actorWeights, rewards[a]!))
  let sum = 0
  let count = 0
  for (const reward of actorRewards) {
    if (reward === null) continue
    sum += reward
    count += 1
  }
  if (config.theta === 'fixed') return { theta: [...theta], actorRewards }
  const mean = sum / count
  let after = config.actors.map((actor, a) => {
    const reward = actorRewards[a] ?? null
    return reward === null ? theta[a]! : theta[a]! + actor.eta * (reward - mean)
  })
  if (config.normalize === 'sum')
    after = normalizedBySum(after, `theta of the actors ${config.actors.map(({ name }) => name).join(', ')}`, round)
  for (const [a, value] of after.entries()) {
    if (Number.isFinite(value)) continue
    throw new WinnowError('BAD_DATA', `round ${round}: theta of actor ${config.actors[a]!.name} is no longer finite`, {
      hint: 'Look for extreme rewards of this round, or use rewardTransform standardize.',
    })
  }
  return { theta: after, actorRewards }
}

/**
 * A whole round's update: transform, every actor, the console.
 * @param rewards raw accepted rewards of the round, by actor in configuration order (see `rewardColumns`)
 */
export function foldRound(
  config: SelectionConfig,
  round: number,
  before: SelectionState,
  rewards: readonly RewardColumns[],
): SelectionState {
  const transformed = rewardTransform(
    config.rewardTransform,
    rewards.map((columns) => columns.rewards),
  )
  const fit = config.collaboration === 'joint' ? fitJoint(config, round, rewards, transformed) : undefined
  const actors = config.actors.map((actor, a) => {
    if (fit !== undefined) return foldActorJointly(config, actor, round, before.actors[a]!, fit.parts[a]!)
    const columns = rewards[a]!
    const values = Float64Array.from(columns.rewards, transformed)
    return foldActor(config, actor, round, before.actors[a]!, columns.subcategories, values)
  })
  const cells = jointCells(config)
  if (cells !== undefined) actors.push(foldCells(config, round, before.actors.at(-1)!, fit!.cells!, cells))
  const weights = actors.map((actor) => actor.weights)
  const means = actors.map((actor) => actor.rewards)
  return { actors, ...updateTheta(config, round, before.theta, weights, means) }
}
