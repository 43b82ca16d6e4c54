import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { WinnowError } from '../../../topologies/errors.ts'
import { type ActorMemory, initialMemory } from '../../../topologies/selection/actor-memory.ts'
import { parseSelectionConfig } from '../../../topologies/selection/config.ts'
import { foldRound, initialState, updateTheta } from '../../../topologies/selection/console.ts'
import { foldActor } from '../../../topologies/selection/fold.ts'
import { rewardColumns, rewardTransform } from '../../../topologies/selection/rewards.ts'

/** One actor `a` of three subcategories, weights 0.5, 0.25, 0.25, eta 0.5. */
function configured(options: object = {}) {
  const a = { subcategories: ['x', 'y', 'z'], eta: 0.5, initialWeights: [0.5, 0.25, 0.25] }
  return parseSelectionConfig({ seed: 1, budget: { documents: 1 }, actors: { a }, ...options })
}

function fold(options: object, rewards: [subcategory: number, reward: number][], before?: ActorMemory): ActorMemory {
  const config = configured(options)
  const actor = config.actors[0]!
  const memory = before ?? initialMemory(actor)
  return foldActor(
    config,
    actor,
    1,
    memory,
    rewards.map(([j]) => j),
    rewards.map(([, r]) => r),
  )
}

describe('an actor’s update', () => {
  test('ema moves a weight towards the mean reward of its subcategory (Eq. 4 and 5)', () => {
    // R^x = (1 + 3) / 2 = 2, w^x = 0.5 * 0.5 + 0.5 * 2 = 1.25; R^z = -1, w^z = 0.5 * 0.25 + 0.5 * -1 = -0.375; y has no reward.
    const after = fold({}, [
      [0, 1],
      [2, -1],
      [0, 3],
    ])
    expect(after).toEqual({
      weights: [1.25, 0.25, -0.375],
      rewards: [2, null, -1],
      counts: [2, 0, 1],
      everRewarded: [true, false, true],
    })
  })

  test('additive adds the mean reward to the weight (v1, Algorithm 2 line 8)', () => {
    // w^x = 0.5 + 0.5 * 2 = 1.5; w^z = 0.25 + 0.5 * -1 = -0.25.
    expect(
      fold({ update: 'additive' }, [
        [0, 1],
        [2, -1],
        [0, 3],
      ]).weights,
    ).toEqual([1.5, 0.25, -0.25])
  })

  test('unrewarded: mean gives a subcategory that was never rewarded the mean of those that were', () => {
    // w^x = 1.25, w^z = -0.375 as above; their mean is 0.875 / 2 = 0.4375.
    expect(
      fold({ unrewarded: 'mean' }, [
        [0, 2],
        [2, -1],
      ]).weights,
    ).toEqual([1.25, 0.4375, -0.375])
  })

  test('unrewarded: mean looks at the whole run: a subcategory rewarded before keeps its weight, and a round without rewards still applies it', () => {
    const first = fold({ unrewarded: 'mean' }, [[1, 2]])
    // w^y = 0.125 + 1 = 1.125, the mean of one.
    expect(first.weights).toEqual([1.125, 1.125, 1.125])
    const second = fold({ unrewarded: 'mean' }, [[0, 0]], first)
    // w^x = 0.5625; y was rewarded before and keeps 1.125; z takes (0.5625 + 1.125) / 2.
    expect(second.weights).toEqual([0.5625, 1.125, 0.84375])
    const third = fold({ unrewarded: 'mean' }, [], { ...second, weights: [1, 2, 9] })
    expect(third.weights).toEqual([1, 2, 1.5])
    expect(third.rewards).toEqual([null, null, null])
  })

  test('without any reward in the run, unrewarded: mean changes nothing', () => {
    expect(fold({ unrewarded: 'mean' }, []).weights).toEqual([0.5, 0.25, 0.25])
  })

  test('normalize: sum divides by the sum after everything else, also without rewards', () => {
    // 1.25 + 0.25 + 0.5 = 2, with R^z = 0.75: 0.125 + 0.375 = 0.5.
    expect(
      fold({ normalize: 'sum' }, [
        [0, 2],
        [2, 0.75],
      ]).weights,
    ).toEqual([0.625, 0.125, 0.25])
    const before = { ...initialMemory(configured().actors[0]!), weights: [1, 2, 1] }
    expect(fold({ normalize: 'sum' }, [], before).weights).toEqual([0.25, 0.5, 0.25])
    // The mean is taken before the sum: w^x = 1.25, the others 1.25 each, so a third each.
    expect(fold({ normalize: 'sum', unrewarded: 'mean' }, [[0, 2]]).weights).toEqual([1 / 3, 1 / 3, 1 / 3])
  })

  test('a sum of 0 is an error that names actor and round', () => {
    const before = { ...initialMemory(configured().actors[0]!), weights: [1, -1, 0] }
    const error = catchError(() => fold({ normalize: 'sum' }, [], before))
    expect(error.code).toBe('NORMALIZATION')
    expect(error.message).toContain('round 1')
    expect(error.message).toContain('actor a')
    expect(
      catchError(() =>
        fold({ normalize: 'sum' }, [
          [0, 1e308],
          [0, 1e308],
        ]),
      ).code,
    ).toBe('NORMALIZATION')
  })

  test('a weight that is no longer finite is an error', () => {
    expect(
      catchError(() =>
        fold({}, [
          [0, 1e308],
          [0, 1e308],
        ]),
      ).code,
    ).toBe('BAD_DATA')
  })
})

function catchError(action: () => unknown): WinnowError {
  try {
    action()
  } catch (error) {
    if (error instanceof WinnowError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('the transform of rewards', () => {
  test('identity leaves rewards as they are, and exp maps them to exp(scale * r)', () => {
    expect(rewardTransform({ kind: 'identity' }, [[5]])(5)).toBe(5)
    expect(rewardTransform({ kind: 'exp', scale: 0.5 }, [[2]])(2)).toBe(Math.E)
  })

  test('standardize takes mean and population deviation over all actors of the round', () => {
    // 1, 3 and 5, 7: mean 4, deviation sqrt((9 + 1 + 1 + 9) / 4) = sqrt(5).
    const transform = rewardTransform({ kind: 'standardize' }, [[1, 3], [], [5, 7]])
    expect(transform(7)).toBe(3 / Math.sqrt(5))
  })

  test('standardize gives 0 where there is no deviation', () => {
    expect(rewardTransform({ kind: 'standardize' }, [[2, 2], [2]])(2)).toBe(0)
    expect(rewardTransform({ kind: 'standardize' }, [[0.1]])(0.1)).toBe(0)
    expect(rewardTransform({ kind: 'standardize' }, [[], []])(1)).toBe(0)
  })
})

describe('the console’s update', () => {
  const two = (options: object = {}) => {
    const a = { subcategories: ['x', 'y'], eta: 0.5, initialTheta: 0.5 }
    const b = { subcategories: ['z'], eta: 0.25, initialTheta: 0.25 }
    const c = { subcategories: ['u'], eta: 1, initialTheta: 0.25 }
    return parseSelectionConfig({ seed: 1, budget: { documents: 1 }, actors: { a, b, c }, ...options })
  }

  test('theta moves by eta times the actor’s reward above the mean of the actors that have one (Eq. 7 and 8)', () => {
    // R_a = (2 * 1 + 4 * 0.5) / 2 = 2; R_b = 3 * 2 = 6; c has none; R = 4. theta_a = 0.5 + 0.5 * -2, theta_b = 0.25 + 0.25 * 2.
    const state = updateTheta(two(), 1, [0.5, 0.25, 0.25], [[2, 4], [3], [9]], [[1, 0.5], [2], [null]])
    expect(state).toEqual({ theta: [-0.5, 0.75, 0.25], actorRewards: [2, 6, null] })
  })

  test('R_A is the mean over the subcategories that have rewards only', () => {
    const state = updateTheta(two(), 1, [0.5, 0.25, 0.25], [[2, 4], [3], [9]], [[null, 0.5], [null], [null]])
    // R = R_a = 2: nobody moves.
    expect(state).toEqual({ theta: [0.5, 0.25, 0.25], actorRewards: [2, null, null] })
  })

  test('a round without rewards keeps theta, and normalizes it', () => {
    const none = [[null, null], [null], [null]]
    expect(updateTheta(two(), 1, [2, 1, 1], [[1, 1], [1], [1]], none).theta).toEqual([2, 1, 1])
    expect(updateTheta(two({ normalize: 'sum' }), 1, [2, 1, 1], [[1, 1], [1], [1]], none).theta).toEqual([
      0.5, 0.25, 0.25,
    ])
    const error = catchError(() => updateTheta(two({ normalize: 'sum' }), 4, [1, -1, 0], [[1, 1], [1], [1]], none))
    expect(error.message).toContain('round 4: theta of the actors a, b, c')
  })
})

describe('a whole round', () => {
  test('does not depend, to the bit, on the order in which rewards arrive', () => {
    const config = parseSelectionConfig({ seed: 1, budget: { documents: 1 }, rewardTransform: { kind: 'standardize' } })
    const reward = fc.record({
      documentId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(asDocumentId),
      subcategory: fc.nat(4),
      reward: fc.double({ min: -1, max: 1, noNaN: true }),
    })
    // Distinct documents: of several for the same the first counts, which does depend on the order.
    const rewards = fc.uniqueArray(reward, { selector: ({ documentId }) => documentId, maxLength: 60 })
    const orders = rewards.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    )
    fc.assert(
      fc.property(orders, ([arrived, otherwise]) => {
        const run = (list: typeof arrived) =>
          foldRound(
            config,
            1,
            initialState(config),
            config.actors.map(() => rewardColumns(list)),
          )
        expect(run(otherwise)).toEqual(run(arrived))
      }),
    )
  })

  test('of several rewards of a document the first counts', () => {
    const arrived = [
      { documentId: asDocumentId(9n), subcategory: 1, reward: 1 },
      { documentId: asDocumentId(2n), subcategory: 0, reward: 5 },
      { documentId: asDocumentId(9n), subcategory: 1, reward: 7 },
    ]
    expect(rewardColumns(arrived)).toEqual({ subcategories: [0, 1], rewards: [5, 1] })
  })
})
