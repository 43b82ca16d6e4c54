import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { parseSelectionConfig } from '../../../topologies/selection/config.ts'
import { foldRound, initialState } from '../../../topologies/selection/console.ts'
import { fitJoint } from '../../../topologies/selection/joint.ts'
import { type RewardColumns, rewardColumns } from '../../../topologies/selection/rewards.ts'
import { scoreOf } from '../../../topologies/selection/score.ts'

/** Actors a (x, y) and b (u, v). */
const actors = { a: { subcategories: ['x', 'y'], eta: 0.5 }, b: { subcategories: ['u', 'v'], eta: 0.5 } }
const configured = (joint: object = {}, more: object = {}) =>
  parseSelectionConfig({ seed: 1, budget: { documents: 1 }, actors, collaboration: 'joint', joint, ...more })

type Answer = [labels: readonly [number, number], reward: number]
const columns = (actor: 0 | 1, answers: readonly Answer[], held?: readonly number[]): RewardColumns => ({
  subcategories: answers.map(([labels]) => labels[actor]),
  rewards: answers.map(([, reward]) => reward),
  labels: answers.map(([labels]) => labels),
  held,
})
const asIs = (raw: number) => raw
const partsOf = (...args: Parameters<typeof fitJoint>) => fitJoint(...args).parts

describe('joint weights', () => {
  test('are the ridge regression of the rewards on both labels: here by hand', () => {
    // x rewards 1, y rewards -1, b unknown but u: columns 1, x, y, u; c = 0 and b_u = 0 by symmetry; (2 + 1) b_x = 2.
    const answers: Answer[] = [
      [[0, 0], 1],
      [[0, 0], 1],
      [[1, 0], -1],
      [[1, 0], -1],
    ]
    const [a, b] = partsOf(configured({ ridge: 1 }), 1, [columns(0, answers), columns(1, [])], asIs)
    expect(a!.coefficients).toEqual([expect.closeTo(2 / 3, 14), expect.closeTo(-2 / 3, 14)])
    expect(b).toEqual({ coefficients: [expect.closeTo(0, 14), null], counts: [4, 0] })
    expect(a!.counts).toEqual([2, 2])
  })

  test('give credit to the actor that has it, where the mean of Eq. 4 gives it to both', () => {
    // The reward is a's alone; v is more frequent with x.
    const answers: Answer[] = [...Array(9).fill([[0, 1], 1]), [[0, 0], 1], [[1, 1], 0], ...Array(9).fill([[1, 0], 0])]
    const [a, b] = partsOf(configured({ ridge: 1e-3 }), 1, [columns(0, answers), columns(1, [])], asIs)
    expect(a!.coefficients[0]! - a!.coefficients[1]!).toBeCloseTo(1, 2)
    expect(b!.coefficients[1]! - b!.coefficients[0]!).toBeCloseTo(0, 2)
  })

  test('with weighting corpus answers stand for the corpus that they were drawn from', () => {
    // a asks two of each; x has 98 documents, y 2. Over the corpus v pays 1, whatever a says; in the sample of y it pays -1.
    const answers: Answer[] = [
      [[0, 0], 0],
      [[0, 1], 1],
      [[1, 0], 1],
      [[1, 1], 0],
    ]
    const rounds = [columns(0, answers, [98, 2]), columns(1, [], [50, 50])]
    const differenceOf = (weighting: 'answers' | 'corpus') => {
      const [, b] = partsOf(configured({ ridge: 1e-6, weighting }), 1, rounds, asIs)
      return b!.coefficients[1]! - b!.coefficients[0]!
    }
    expect(differenceOf('answers')).toBeCloseTo(0, 4)
    // The weights are 49 : 1, so v is worth (49 - 1) / 50.
    expect(differenceOf('corpus')).toBeCloseTo(0.96, 4)
  })

  test('move by Eq. 5, leave theta as it is, and are added up without it', () => {
    const config = configured({ ridge: 1 })
    const answers: Answer[] = [
      [[0, 0], 1],
      [[1, 1], -1],
    ]
    const rewards = [columns(0, answers), columns(1, answers)]
    const [a, b] = partsOf(config, 1, rewards, asIs)
    const after = foldRound(config, 1, initialState(config), rewards)
    expect(after).toMatchObject({ theta: [0.5, 0.5], actorRewards: [null, null] })
    const moved = (part: typeof a) => part!.coefficients.map((coefficient) => 0.5 * 0.5 + 0.5 * coefficient!)
    expect(after.actors.map(({ weights }) => weights)).toEqual([moved(a), moved(b)])
    const weights = after.actors.map((actor) => actor.weights)
    expect(scoreOf(config, 1, weights, after.theta)([1, 0], 0)).toBe(weights[0]![1]! + weights[1]![0]!)
    config.actors[1]!.frozen = true
    expect(scoreOf(config, 1, weights, [0.5, 0])([1, 0], 0)).toBe(weights[0]![1]!)
  })

  test('with residuals a cell may score otherwise than the sum of its weights, by what is left of its rewards, shrunk', () => {
    // x v pays and x u costs, y the reverse: no sum of weights says so. Of 4 answers each, shrunk by 4 / (4 + 4).
    const cell = (x: 0 | 1, u: 0 | 1): Answer[] => Array(4).fill([[x, u], x === u ? -1 : 1])
    const answers = [...cell(0, 0), ...cell(0, 1), ...cell(1, 0), ...cell(1, 1)]
    const config = configured({ ridge: 1e-6, cells: { shrinkage: 4, eta: 0.5 } })
    const rewards = [columns(0, answers), columns(1, [])]
    const near = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 9))
    expect(fitJoint(config, 1, rewards, asIs).cells).toEqual({
      coefficients: near([-0.5, 0.5, 0.5, -0.5]),
      counts: [4, 4, 4, 4],
    })
    const before = initialState(config)
    expect(before.actors[2]!.weights).toEqual([0, 0, 0, 0])
    const after = foldRound(config, 1, before, rewards)
    const weights = after.actors.map((actor) => actor.weights)
    expect(weights[2]).toEqual(near([-0.25, 0.25, 0.25, -0.25]))
    const score = scoreOf(config, 1, weights, after.theta)
    expect(score([0, 1], 0) - score([0, 0], 0)).toBeCloseTo(0.5, 9)
    expect(score([1, 0], 0)).toBeCloseTo(score([0, 1], 0), 9)
    // What no answer is of stays.
    const later = foldRound(config, 2, after, [columns(0, cell(0, 1).slice(0, 1)), columns(1, [])])
    expect(later.actors[2]!.weights.toSpliced(1, 1)).toEqual(weights[2]!.toSpliced(1, 1))
    expect(later.actors[2]!.counts).toEqual([0, 1, 0, 0])
  })

  test('a frozen actor is not fitted and keeps its weights', () => {
    const config = configured()
    config.actors[1]!.frozen = true
    const answers: Answer[] = [[[0, 1], 1]]
    const after = foldRound(config, 1, initialState(config), [columns(0, answers), columns(1, [])])
    expect(after.actors[1]).toMatchObject({ weights: [0.5, 0.5], rewards: [null, null], counts: [0, 0] })
  })

  test('a round without rewards leaves the weights as they are', () => {
    const config = configured()
    const after = foldRound(config, 1, initialState(config), [columns(0, []), columns(1, [])])
    expect(after.actors.map(({ weights }) => weights)).toEqual([
      [0.5, 0.5],
      [0.5, 0.5],
    ])
  })

  test('rewards without labels, and rewards that overflow, end the run with an error that names the round', () => {
    const fold = (rewards: RewardColumns[]) => () => foldRound(configured(), 4, initialState(configured()), rewards)
    const unlabelled = { subcategories: [0], rewards: [1] }
    expect(fold([unlabelled, columns(1, [])])).toThrow(
      /^round 4: the labels of its rewarded documents are not recorded/,
    )
    const huge: Answer[] = [
      [[0, 1], 1e308],
      [[0, 1], 1e308],
    ]
    expect(fold([columns(0, huge), columns(1, [])])).toThrow(/^round 4: the joint fit .* is not finite/)
  })

  test('have the same bits whatever the order of arrival', () => {
    const answer = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.double({ min: -3, max: 3, noNaN: true }))
    fc.assert(
      fc.property(fc.array(answer, { minLength: 1 }), fc.array(fc.nat()), (answers, keys) => {
        const given = [...new Map(answers)].map(([id, reward]) => ({
          documentId: asDocumentId(BigInt(id)),
          subcategory: id % 2,
          labels: [id % 2, id % 3 === 0 ? 0 : 1],
          reward,
        }))
        const shuffled = given
          .map((one, i) => ({ one, key: keys[i % Math.max(1, keys.length)] ?? 0 }))
          .sort((x, y) => x.key - y.key)
        const folded = (list: typeof given) =>
          fitJoint(configured({ cells: {} }), 1, [rewardColumns(list), { subcategories: [], rewards: [] }], asIs)
        expect(folded(shuffled.map(({ one }) => one))).toEqual(folded(given))
      }),
      { numRuns: 50 },
    )
  })
})
