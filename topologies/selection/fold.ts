import { WinnowError } from '../errors.ts'
import type { ActorMemory } from './actor-memory.ts'
import type { ActorConfig, SelectionConfig } from './config.ts'
import type { JointPart } from './joint.ts'
import type { JointCells } from './joint-config.ts'
import { normalizedBySum } from './normalize.ts'
import { foldActorAsCode } from './paper-code.ts'
import { asCode } from './strategy.ts'

/**
 * One actor's update at the close of a round k >= 1 (Eq. 4 and 5; v1's Eq. 5 with `additive`), then `unrewarded: mean`, then `normalize: sum`.
 * The last two also apply when the actor has no reward in the round. A frozen actor keeps its weights. With `update: code` in the strategy's score, as the
 * authors' code does (`foldActorAsCode`).
 * @param subcategories of the rewarded documents, ascending by document id
 * @param rewards transformed, in the same order
 * @throws WinnowError NORMALIZATION if the weights cannot be normalized, BAD_DATA if one is no longer finite
 */
export function foldActor(
  config: SelectionConfig,
  actor: ActorConfig,
  round: number,
  before: ActorMemory,
  subcategories: ArrayLike<number>,
  rewards: ArrayLike<number>,
): ActorMemory {
  if (asCode(config.strategy)) return foldActorAsCode(actor, round, before, subcategories, rewards)
  const { means, counts } = meansBySubcategory(actor.subcategories.length, subcategories, rewards)
  return moveWeights(config, actor, round, before, means, counts)
}

/** `foldActor` with its part of the round's joint fit (`fitJoint`) in place of the means of Eq. 4. */
export const foldActorJointly = (
  config: SelectionConfig,
  actor: ActorConfig,
  round: number,
  before: ActorMemory,
  { coefficients, counts }: JointPart,
): ActorMemory => moveWeights(config, actor, round, before, [...coefficients], [...counts])

/** The table of residuals after a round (`cellsActor`): each moves towards what the round says of its cell, as weights do. */
export function foldCells(
  { actors, update }: SelectionConfig,
  round: number,
  before: ActorMemory,
  { coefficients, counts }: JointPart,
  { eta }: JointCells,
): ActorMemory {
  const weights = before.weights.map((weight, cell) => updated(update, eta, weight, coefficients[cell]!))
  if (!weights.every(Number.isFinite)) {
    const names = actors.map(({ name }) => name).join(', ')
    throw new WinnowError('BAD_DATA', `round ${round}: a residual of the cells of ${names} is no longer finite`, {
      hint: 'Look for extreme rewards of this round, or use rewardTransform standardize.',
    })
  }
  const everRewarded = before.everRewarded.map((ever, cell) => ever || counts[cell]! > 0)
  return { weights, rewards: [...coefficients], counts: [...counts], everRewarded }
}

/** Eq. 5 towards what the round says of each subcategory; null: nothing. */
function moveWeights(
  config: SelectionConfig,
  actor: ActorConfig,
  round: number,
  before: ActorMemory,
  means: (number | null)[],
  counts: number[],
): ActorMemory {
  const everRewarded = before.everRewarded.map((ever, j) => ever || counts[j]! > 0)
  if (actor.frozen === true) return { ...before, rewards: means, counts }
  let weights = before.weights.map((weight, j) => updated(config.update, actor.eta, weight, means[j]!))
  if (config.unrewarded === 'mean') weights = withMeanOfRewarded(weights, everRewarded)
  if (config.normalize === 'sum') weights = normalizedBySum(weights, `the weights of actor ${actor.name}`, round)
  if (!weights.every(Number.isFinite)) {
    throw new WinnowError('BAD_DATA', `round ${round}: a weight of actor ${actor.name} is no longer finite`, {
      hint: 'Look for extreme rewards of this round, or use rewardTransform standardize.',
    })
  }
  return { weights, rewards: means, counts, everRewarded }
}

/** Eq. 4: the mean reward of each subcategory, summed in the order given. */
function meansBySubcategory(size: number, subcategories: ArrayLike<number>, rewards: ArrayLike<number>) {
  const sums = Array.from({ length: size }, () => 0)
  const counts = Array.from({ length: size }, () => 0)
  for (let i = 0; i < rewards.length; i++) {
    const j = subcategories[i]!
    sums[j]! += rewards[i]!
    counts[j]! += 1
  }
  return { means: sums.map((sum, j) => (counts[j] === 0 ? null : sum / counts[j]!)), counts }
}

function updated(update: SelectionConfig['update'], eta: number, weight: number, reward: number | null): number {
  if (reward === null) return weight
  return update === 'ema' ? (1 - eta) * weight + eta * reward : weight + eta * reward
}

/** Gives subcategories that never had a reward the mean weight of those that had one, summed in index order. */
function withMeanOfRewarded(weights: readonly number[], everRewarded: readonly boolean[]): number[] {
  let sum = 0
  let count = 0
  for (const [j, weight] of weights.entries()) {
    if (!everRewarded[j]) continue
    sum += weight
    count += 1
  }
  return count === 0 ? [...weights] : weights.map((weight, j) => (everRewarded[j] ? weight : sum / count))
}
