import { describe, expect, test } from 'vitest'
import { WinnowError } from '../../../topologies/errors.ts'
import { parseSelectionConfig } from '../../../topologies/selection/config.ts'

const minimal = { seed: 7, budget: { documents: 10 } }

function problem(json: unknown): string {
  try {
    parseSelectionConfig(json)
  } catch (error) {
    expect(error).toBeInstanceOf(WinnowError)
    expect((error as WinnowError).exitCode).toBe(3)
    return (error as WinnowError).message
  }
  throw new Error('the configuration was accepted')
}

describe('a selection configuration', () => {
  test('defaults to the paper’s values', () => {
    const config = parseSelectionConfig(minimal)
    expect(config.actors.map(({ name, subcategories }) => [name, subcategories.length])).toEqual([
      ['quality', 5],
      ['domain', 7],
      ['topic', 13],
    ])
    expect(config.actors[1]).toEqual({
      name: 'domain',
      subcategories: ['ArXiv', 'Book', 'C4', 'CommonCrawl', 'GitHub', 'StackExchange', 'Wikipedia'],
      eta: 0.1,
      initialWeights: Array(7).fill(1 / 7),
      initialTheta: 1 / 3,
    })
    expect({ ...config, actors: [] }).toEqual({
      seed: '7',
      actors: [],
      update: 'ema',
      rewardTransform: { kind: 'identity' },
      normalize: 'none',
      collaboration: 'collaborative',
      firstSelection: 'random',
      unrewarded: 'keep',
      repetitionDecay: 0,
      repeat: 'allow',
      budget: { documents: 10 },
    })
  })

  test('fills in an actor’s defaults, in the order of the configuration', () => {
    const actors = {
      topic: { eta: 0.5 },
      style: { subcategories: ['a', 'b'], initialTheta: 2 },
      constructor: { subcategories: ['x'] },
    }
    const config = parseSelectionConfig({ ...minimal, actors, rewardTransform: { kind: 'exp' } })
    expect(config.actors.map(({ name }) => name)).toEqual(['topic', 'style', 'constructor'])
    expect(config.actors[0]).toMatchObject({ eta: 0.5, initialTheta: 1 / 3 })
    expect(config.actors[0]!.subcategories).toHaveLength(13)
    expect(config.actors[1]).toEqual({
      name: 'style',
      subcategories: ['a', 'b'],
      eta: 0.1,
      initialWeights: [0.5, 0.5],
      initialTheta: 2,
    })
    expect(config.rewardTransform).toEqual({ kind: 'exp', scale: 0.5 })
  })

  test('takes a seed as an integer or a decimal string of any length', () => {
    expect(parseSelectionConfig({ ...minimal, seed: -3 }).seed).toBe('-3')
    expect(parseSelectionConfig({ ...minimal, seed: '123456789012345678901234567890' }).seed).toBe(
      '123456789012345678901234567890',
    )
  })

  const actor = { subcategories: ['x', 'y'] }
  test.each([
    ['nothing', undefined, 'the file'],
    ['an array', [], 'the file'],
    ['no seed', { budget: { documents: 1 } }, 'seed'],
    ['an unsafe seed', { ...minimal, seed: 2 ** 53 }, 'seed: is not an integer that JSON represents exactly'],
    ['a seed that is no integer', { ...minimal, seed: 1.5 }, 'seed'],
    ['a seed of letters', { ...minimal, seed: 'abc' }, 'seed'],
    ['no budget', { seed: 1 }, 'budget'],
    ['a budget of 0', { ...minimal, budget: { documents: 0 } }, 'budget.documents: must be at least 1'],
    [
      'a budget of part of a document',
      { ...minimal, budget: { documents: 1.5 } },
      'budget.documents: must be an integer',
    ],
    ['a negative budget', { ...minimal, budget: { tokens: -1 } }, 'budget.tokens: must be at least 1'],
    ['an infinite budget', { ...minimal, budget: { tokens: Number.POSITIVE_INFINITY } }, 'budget'],
    ['two budgets', { ...minimal, budget: { documents: 1, tokens: 1 } }, 'budget'],
    ['an unknown key', { ...minimal, sead: 1 }, 'sead'],
    ['an unknown key of an actor', { ...minimal, actors: { a: { ...actor, etta: 1 } } }, 'actors.a'],
    [
      'an unknown key of a transform',
      { ...minimal, rewardTransform: { kind: 'identity', scale: 1 } },
      'rewardTransform',
    ],
    ['an unknown word', { ...minimal, update: 'sgd' }, 'update'],
    ['no actors', { ...minimal, actors: {} }, 'actors: at least one actor'],
    ['an actor without subcategories', { ...minimal, actors: { a: {} } }, 'actors.a.subcategories: is missing'],
    ['an empty list of subcategories', { ...minimal, actors: { a: { subcategories: [] } } }, 'actors.a.subcategories'],
    ['a subcategory twice', { ...minimal, actors: { a: { subcategories: ['x', 'x'] } } }, 'actors.a.subcategories'],
    [
      'too few weights',
      { ...minimal, actors: { a: { ...actor, initialWeights: [1] } } },
      'actors.a.initialWeights: has 1 weights for 2',
    ],
    [
      'a weight that is not finite',
      { ...minimal, actors: { a: { ...actor, initialWeights: [1, Number.POSITIVE_INFINITY] } } },
      'actors.a.initialWeights.1',
    ],
    [
      'a theta that is not finite',
      { ...minimal, actors: { a: { ...actor, initialTheta: Number.NaN } } },
      'actors.a.initialTheta',
    ],
    ['an eta that is not a number', { ...minimal, actors: { a: { ...actor, eta: '0.1' } } }, 'actors.a.eta'],
    [
      'an actor with a number for a name',
      { ...minimal, actors: { 12: actor } },
      'actors.12: an actor name must not consist of digits only',
    ],
    ['an actor with a number and a leading zero for a name', { ...minimal, actors: { '007': actor } }, 'actors.007'],
    [
      'an actor named __proto__',
      JSON.parse(
        '{"seed":1,"budget":{"documents":1},"actors":{"__proto__":{"subcategories":["x"]},"a":{"subcategories":["x"]}}}',
      ),
      '__proto__',
    ],
    ['an actor without a name', { ...minimal, actors: { '': actor } }, 'an actor needs a name'],
    [
      'a single actor that is not there',
      { ...minimal, actors: { a: actor }, collaboration: 'single:b' },
      'collaboration: names an actor',
    ],
    ['an unknown collaboration', { ...minimal, collaboration: 'none' }, 'collaboration'],
    ['a fit that is not joint', { ...minimal, joint: {} }, 'joint: is about collaboration: joint'],
    ['a joint fit without a penalty', { ...minimal, collaboration: 'joint', joint: { ridge: 0 } }, 'joint.ridge'],
    [
      'joint weights over their sum',
      { ...minimal, collaboration: 'joint', normalize: 'sum' },
      'normalize: must be none',
    ],
    [
      'joint weights by the code’s rules',
      { ...minimal, collaboration: 'joint', strategy: 'paper-code' },
      "collaboration: must not be joint: the strategy's score has update: code",
    ],
    [
      'residuals of too many cells',
      {
        ...minimal,
        collaboration: 'joint',
        joint: { cells: {} },
        actors: Object.fromEntries(
          ['a', 'b', 'c', 'd', 'e'].map((name) => [name, { subcategories: [...'0123456789'] }]),
        ),
      },
      'joint.cells: there are 100000 cells, and residuals are for at most 10000',
    ],
    ['a negative decay', { ...minimal, repetitionDecay: -1 }, 'repetitionDecay'],
  ])('refuses %s and names the place', (_, json, place) => {
    expect(problem(json)).toContain(place)
  })

  test('fills in how a joint fit is made, of collaboration: joint alone', () => {
    expect(parseSelectionConfig({ ...minimal, collaboration: 'joint', joint: { ridge: 2 } }).joint).toEqual({
      ridge: 2,
      weighting: 'answers',
    })
    expect(parseSelectionConfig({ ...minimal, collaboration: 'joint' }).joint).toEqual({
      ridge: 10,
      weighting: 'answers',
    })
    expect(parseSelectionConfig(minimal)).not.toHaveProperty('joint')
  })

  test('reports all problems at once', () => {
    const message = problem({
      seed: 1,
      budget: { documents: 0 },
      update: 'x',
      actors: { a: { subcategories: ['x'], initialWeights: [1, 2] } },
    })
    expect(message).toContain('budget.documents')
    expect(message).toContain('update')
    expect(message).toContain('actors.a.initialWeights')
  })
})
