import { expect, test } from 'vitest'
import { parseSelectionConfig } from '../../../topologies/selection/config.ts'
import { defaultActors } from '../../../topologies/selection/default-actors.ts'
import { type Preset, presetNamed, presets } from '../../../topologies/selection/presets.ts'
import { quotasOf } from '../../../topologies/selection/quotas.ts'

/** A configuration whose actors are those that the preset needs. */
const configured = ({ needs }: Preset, strategy: unknown) =>
  parseSelectionConfig({
    seed: 1,
    actors: Object.fromEntries(
      ['quality', ...Object.keys(needs)].map((name) => [name, name in defaultActors ? {} : { subcategories: ['all'] }]),
    ),
    budget: { tokens: 1000 },
    strategy,
  })

test.each(presets)('$name gives a valid strategy with the actors it needs, and is recorded as its parts', (preset) => {
  const { strategy } = configured(preset, preset.name)
  expect(strategy).toMatchObject(preset.parts)
  expect(Object.keys(strategy!).sort()).toEqual(
    ['mixture', 'pool', 'sampler', 'score'].filter((part) => part !== 'mixture' || preset.parts.mixture !== undefined),
  )
  // What is recorded is read again as the same.
  expect(configured(preset, JSON.parse(JSON.stringify(strategy))).strategy).toEqual(strategy)
})

test.each(presets.filter(({ needs }) => Object.keys(needs).some((name) => name !== 'quality')))(
  '$name is refused where the run lacks an actor that it needs',
  ({ name }) => {
    const config = { seed: 1, actors: { quality: {} }, budget: { tokens: 1000 }, strategy: name }
    expect(() => parseSelectionConfig(config)).toThrow(/strategy\.\S*actor: names an actor that is not configured/)
  },
)

test('given parts replace those of the preset, and the others stay', () => {
  const preset = presetNamed('qurating-edu')!
  const own = { preset: preset.name, sampler: { kind: 'gumbel', temperature: 1 } }
  expect(configured(preset, own).strategy).toEqual({
    pool: [],
    score: { kind: 'label', actor: 'educational', sign: 1, standardize: 'corpus' },
    mixture: { actor: 'domain', proportional: true },
    sampler: { kind: 'gumbel', temperature: 1 },
  })
})

test.each([
  ['qurating', /strategy: must be the name of a preset \(see: winnow strategies\)/],
  [{ preset: 'qurating' }, /strategy\.preset: must be the name of a preset/],
  [{ preset: 'random', sampler: { kind: 'gumbel' } }, /strategy\.sampler\.temperature/],
])('the strategy %j is refused', (strategy, message) => {
  expect(() => configured(presets[0]!, strategy)).toThrow(message)
})

/** Table 10 of the paper, in its own order and percent. */
test.each([
  [
    'doremi',
    { CommonCrawl: 38.11, C4: 11.41, GitHub: 6.54, Book: 8.19, ArXiv: 4.24, Wikipedia: 23.07, StackExchange: 8.47 },
  ],
  [
    'doge',
    { CommonCrawl: 21.35, C4: 26.93, GitHub: 7.03, Book: 4.5, ArXiv: 8.8, Wikipedia: 14.82, StackExchange: 16.58 },
  ],
  ['dmlaw', { CommonCrawl: 12.5, C4: 25, GitHub: 14.06, Book: 9.38, ArXiv: 25, Wikipedia: 1.56, StackExchange: 12.5 }],
  [
    'regmix',
    { CommonCrawl: 17.37, C4: 51.03, GitHub: 0.23, Book: 0.23, ArXiv: 0.08, Wikipedia: 29.77, StackExchange: 1.27 },
  ],
])('%s has the weights of Table 10, and its quotas of 30e9 tokens add up', (name, published) => {
  const { mixture } = presetNamed(name)!.parts
  const weights = mixture !== undefined && 'weights' in mixture ? mixture.weights : []
  expect(Object.fromEntries(defaultActors.domain!.map((domain, i) => [domain, weights[i]]))).toEqual(published)
  const budget = 30_000_000_000
  const quotas = quotasOf(budget, weights)
  expect(quotas.reduce((sum, quota) => sum + quota, 0)).toBe(budget)
})
