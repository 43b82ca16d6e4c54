import { describe, expect, test } from 'vitest'
import { parseSelectionConfig, type SelectionConfig } from '../../../topologies/selection/config.ts'
import { foldRound, initialState } from '../../../topologies/selection/console.ts'
import { presetNamed } from '../../../topologies/selection/presets.ts'
import type { RewardColumns } from '../../../topologies/selection/rewards.ts'

const configured = (more: object = {}): SelectionConfig =>
  parseSelectionConfig({ seed: 1, budget: { documents: 1 }, strategy: 'paper-code', ...more })

const columns = (...rewards: [subcategory: number, reward: number][]): RewardColumns => ({
  subcategories: rewards.map(([j]) => j),
  rewards: rewards.map(([, r]) => r),
})

const near = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 12))

/** Rewards of an actor's subcategories, one to three each, multiples of 1/64. */
const samples = (subcategories: number, seed: number): [number, number][] =>
  Array.from({ length: subcategories }, (_, j) =>
    Array.from({ length: 1 + ((j * 2) % 3) }, (_, i): [number, number] => [
      j,
      (((7 * seed + 11 * j + 5 * i * i) % 97) - 48) / 64,
    ]),
  ).flat()

describe('the authors’ code', () => {
  test('two rounds of the three actors end where update_agent.py ends, which these numbers are from', () => {
    const config = configured()
    const rewards = [columns(...samples(5, 1)), columns(...samples(7, 2)), columns(...samples(13, 3))]
    const first = foldRound(config, 1, initialState(config), rewards)
    expect(first.actors[0]!.weights).toEqual(
      near([0.21839165429124305, 0.18103258002397746, 0.19900517315921443, 0.21890556070643394, 0.18266503181913119]),
    )
    expect(first.theta).toEqual(near([0.22701532261496876, 0.4089820501541198, 0.3640026272309113]))
    const { actors, theta } = foldRound(config, 2, first, rewards)
    expect(actors.map(({ weights }) => weights)).toEqual([
      near([0.15995212710705706, 0.21547213803591364, 0.19517839497085723, 0.17291471889334167, 0.25648262099283026]),
      near([
        0.10243417359248963, 0.16033849202948625, 0.13823187571853846, 0.11334030766431304, 0.194883602082385,
        0.16331765510370108, 0.12745389380908648,
      ]),
      near([
        0.049497578257870496, 0.09762884781780636, 0.07872977018718107, 0.05711488568461097, 0.12178795301019868,
        0.09626270338327977, 0.06697241392060393, 0.07995977528459738, 0.06590683382862222, 0.04990545553341637,
        0.09892247422060942, 0.07966859077347489, 0.057642718097728356,
      ]),
    ])
    expect(theta).toEqual(near([0.1565679466155294, 0.46161616831343305, 0.3818158850710376]))
  })

  const two = { a: { subcategories: ['x', 'y'], eta: 0.5 }, b: { subcategories: ['z'], eta: 0.5 } }

  test('a weight follows single rewards, S the last of them, and theta the first subcategories whoever they belong to', () => {
    const config = configured({ actors: two })
    expect(config.actors.map(({ initialWeights }) => initialWeights)).toEqual([[10, 10], [10]])
    const [r, s, t] = [2 * Math.log(2), 2 * Math.log(4), 2 * Math.log(3)]
    const after = foldRound(config, 1, initialState(config), [columns([0, r], [1, t], [0, s]), columns([0, 0])])
    // x: 10 -> 5 + 1 = 6 -> 3 + 2 = 5; y: 5 + 1.5 = 6.5; over their sum 11.5. z: 5 + 0.5, over itself.
    expect(after.actors.map(({ weights }) => weights)).toEqual([near([5 / 11.5, 6.5 / 11.5]), [1]])
    // exp(0.6 r) = 2^2.4 of x, 3^1.2 of y.
    const scores = [((5 / 11.5) * (2 ** 2.4 / 100 - 1)) / 2, (6.5 / 11.5) * (3 ** 1.2 / 100 - 1), 1 / 100 - 1] as const
    expect(after.actors.map(({ rewards }) => rewards)).toEqual([near(scores.slice(0, 2)), near(scores.slice(2))])
    expect(after.actors.map(({ counts }) => counts)).toEqual([[2, 1], [1]])
    const mean = (scores[0] + scores[1] + scores[2]) / 3
    const moved = [0.5 + scores[0] - mean, 0.5 + scores[1] - mean]
    // b's own S, of z, moves no theta.
    expect(after.theta).toEqual(near(moved.map((value) => value / (moved[0]! + moved[1]!))))
    expect(after.actorRewards).toEqual(near(scores.slice(0, 2)))
  })

  test('without rewards weights are divided by their sum and thetas stay', () => {
    const config = configured({ actors: two })
    const after = foldRound(config, 1, initialState(config), [columns(), columns()])
    expect(after.actors.map(({ weights }) => weights)).toEqual([[0.5, 0.5], [1]])
    expect(after).toMatchObject({ theta: [0.5, 0.5], actorRewards: [null, null] })
  })

  test('a subcategory without rewards has no S, and its place in the list moves nothing', () => {
    const config = configured({ actors: two })
    const after = foldRound(config, 1, initialState(config), [columns([1, 0]), columns([0, 0])])
    expect(after.actorRewards).toEqual([null, expect.any(Number)])
    const [own, other] = [after.actors[0]!.rewards[1]!, after.actors[1]!.rewards[0]!]
    const moved = 0.5 + own - (own + other) / 2
    expect(after.theta).toEqual(near([0.5 / (0.5 + moved), moved / (0.5 + moved)]))
  })

  test('a frozen actor keeps its weights and moves no theta', () => {
    const config = configured({ actors: two })
    config.actors[0]!.frozen = true
    const before = initialState(config)
    const after = foldRound(config, 1, before, [columns(), columns([0, 1])])
    expect(after.actors[0]!.weights).toEqual([10, 10])
    expect(after.theta).toEqual([0.5, 0.5])
  })

  test('initial weights that are given stay', () => {
    const config = configured({ actors: { ...two, a: { ...two.a, initialWeights: [1, 3] } } })
    expect(config.actors.map(({ initialWeights }) => initialWeights)).toEqual([[1, 3], [10]])
    expect(parseSelectionConfig(JSON.parse(JSON.stringify({ ...config, actors: two }))).strategy).toEqual(
      config.strategy,
    )
  })

  test('a reward that overflows ends the run with an error that names actor and round', () => {
    const config = configured({ actors: two })
    // exp(0.6 r) overflows, exp(0.5 r) does not; then both do.
    for (const [reward, code] of [
      [1300, 'BAD_DATA'],
      [2000, 'NORMALIZATION'],
    ] as const) {
      const fold = () => foldRound(config, 3, initialState(config), [columns([0, reward]), columns()])
      expect(fold).toThrow(expect.objectContaining({ code, message: expect.stringMatching(/round 3.*actors? a/) }))
    }
  })

  test.each([
    ['update', 'additive', 'update: must be ema or left out'],
    ['rewardTransform', { kind: 'standardize' }, 'rewardTransform: must be identity or left out'],
    ['rewardTransform', { kind: 'exp' }, 'rewardTransform: must be identity or left out'],
    ['normalize', 'sum', 'normalize: must be none or left out'],
    ['unrewarded', 'mean', 'unrewarded: must be keep or left out'],
    ['strategy', { score: { kind: 'actors', update: 'paper' } }, 'strategy.score.update: must be code, or be left out'],
    ['strategy', { score: { kind: 'zero', update: 'code' } }, 'strategy.score: Unrecognized key: "update"'],
  ])('%s %j is refused beside it, by place and reason', (key, value, message) => {
    expect(() => configured({ [key]: value })).toThrow(`configuration: ${message}`)
  })

  test('the preset selects by the scores of actors, as the paper’s method does', () => {
    expect(configured().strategy).toEqual({
      pool: [],
      score: { kind: 'actors', update: 'code' },
      sampler: { kind: 'top' },
    })
    expect(presetNamed('paper-code')!.beside).toEqual({ repetitionDecay: 0.1 })
  })
})
