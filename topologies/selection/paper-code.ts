import { WinnowError } from '../errors.ts'
import type { ActorMemory } from './actor-memory.ts'
import type { ActorConfig } from './config.ts'
import { exp } from './exp.ts'
import { normalizedBySum } from './normalize.ts'

/**
 * How the authors' code updates actors and theta (update_agent.py of Relaxed-System-Lab/multi-actor-data-selection), which is not what the paper says:
 * SELECTION.md, "The authors' code". Kept beside the paper's rules for comparison alone.
 */

/** `scale_score` and `scaling_factor`: of rewards in the weights, and in theta. */
const weightScale = 0.5
const thetaScale = 0.6

/**
 * `update_weights_per_loss` and `compute_normalized_S`: every reward moves the weight by itself, so that a subcategory with many forgets its weight sooner.
 * `rewards` of the result is S by subcategory, of its last reward alone; null without any.
 * @param subcategories of the rewarded documents, ascending by document id
 * @param rewards raw, in the same order
 * @throws WinnowError NORMALIZATION if the weights cannot be normalized
 */
export function foldActorAsCode(
  actor: ActorConfig,
  round: number,
  before: ActorMemory,
  subcategories: ArrayLike<number>,
  rewards: ArrayLike<number>,
): ActorMemory {
  const moved = [...before.weights]
  const last: (number | null)[] = moved.map(() => null)
  const counts = moved.map(() => 0)
  for (let i = 0; i < rewards.length; i++) {
    const j = subcategories[i]!
    moved[j] = (1 - actor.eta) * moved[j]! + actor.eta * exp(weightScale * rewards[i]!)
    last[j] = rewards[i]!
    counts[j]! += 1
  }
  const everRewarded = before.everRewarded.map((ever, j) => ever || counts[j]! > 0)
  if (actor.frozen === true) return { ...before, rewards: last, counts }
  const weights = normalizedBySum(moved, `the weights of actor ${actor.name}`, round)
  const scores = last.map((reward, j) =>
    reward === null ? null : (weights[j]! * (exp(thetaScale * reward) / 100 - 1)) / counts[j]!,
  )
  return { weights, rewards: scores, counts, everRewarded }
}

/**
 * `update_collaborative_weights`: theta of the i-th actor moves by the i-th S of the list of all actors' subcategories, less the mean of the list, without
 * eta; so all thetas follow the first subcategories of the first actor. Then theta is divided by its sum, unless that is 0.
 * @param scores S by subcategory, by actor in configuration order, as `foldActorAsCode` gives it
 * @returns theta, and for each actor the S that moved it
 */
export function updateThetaAsCode(
  actors: readonly ActorConfig[],
  round: number,
  theta: readonly number[],
  scores: readonly (readonly (number | null)[])[],
): { theta: number[]; actorRewards: (number | null)[] } {
  const list = scores.flat()
  const given = list.filter((score) => score !== null)
  const mean = given.reduce((sum, score) => sum + score, 0) / given.length
  const actorRewards = actors.map(({ frozen }, a) => (frozen === true ? null : (list[a] ?? null)))
  const moved = theta.map((value, a) => {
    const score = actorRewards[a] ?? null
    return score === null ? value : value + (score - mean)
  })
  const total = moved.reduce((sum, value) => sum + value, 0)
  const after = total === 0 ? moved : moved.map((value) => value / total)
  const strange = after.findIndex((value) => !Number.isFinite(value))
  if (strange === -1) return { theta: after, actorRewards }
  throw new WinnowError('BAD_DATA', `round ${round}: theta of actor ${actors[strange]!.name} is no longer finite`, {
    hint: "Look for extreme rewards of this round: the authors' code takes exp(0.6 r).",
  })
}
