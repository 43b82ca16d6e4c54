import { describe, expect, test } from 'vitest'
import { parseSelectionConfig } from '../../../topologies/selection/config.ts'

/** The initial weights that a rule gives for the five intervals of quality, or for other subcategories. */
function weightsBy(initialWeights: unknown, selection: object = {}, subcategories?: readonly string[]): number[] {
  const actor = { initialWeights, ...(subcategories && { subcategories }) }
  const config = { seed: 7, budget: { documents: 1 }, actors: { quality: actor }, ...selection }
  return parseSelectionConfig(config).actors[0]!.initialWeights
}

const standardize = { rewardTransform: { kind: 'standardize' } }

describe('initial weights by rule', () => {
  test('threshold: the same share from a subcategory on, by name or by index, and none before', () => {
    const last2 = [0, 0, 0, 0.5, 0.5]
    expect(weightsBy({ rule: 'threshold', from: '3-4' })).toEqual(last2)
    expect(weightsBy({ rule: 'threshold', from: 3 })).toEqual(last2)
    expect(weightsBy({ rule: 'threshold', from: 0 })).toEqual([0.2, 0.2, 0.2, 0.2, 0.2])
    expect(weightsBy({ rule: 'threshold', from: '4-5' })).toEqual([0, 0, 0, 0, 1])
    // A name made of digits is a name, a number an index.
    expect(weightsBy({ rule: 'threshold', from: '0' }, {}, ['2', '1', '0'])).toEqual([0, 0, 1])
    expect(weightsBy({ rule: 'threshold', from: 0 }, {}, ['2', '1', '0'])).toEqual([1 / 3, 1 / 3, 1 / 3])
  })

  test('softmax: proportional to exp(midpoint / temperature)', () => {
    // e^-2, e^-1.5, e^-1, e^-0.5 and 1 over their sum, 2.3328693868747906.
    const [a, b, c, d, e] = weightsBy({ rule: 'softmax', temperature: 2 })
    expect([a, b, c, d, e]).toEqual(
      [0.0580122173979979, 0.0956459767845591, 0.1576935563815933, 0.2599927206586828, 0.428655528777167].map((share) =>
        expect.closeTo(share, 15),
      ),
    )
    // ln 3 apart: 1 : 3 : 9.
    const thirds = weightsBy({ rule: 'softmax', temperature: 1 / Math.log(3) }, {}, ['0', '1', '2'])
    expect(thirds).toEqual([1 / 13, 3 / 13, 9 / 13].map((share) => expect.closeTo(share, 14)))
    // Midpoints 1 and 2.25, whatever the widths; and negative bounds.
    const uneven = weightsBy({ rule: 'softmax', temperature: 1.25 }, {}, ['0-2', '2-2.5'])
    expect(uneven[1]! / uneven[0]!).toBeCloseTo(Math.E, 14)
    expect(weightsBy({ rule: 'softmax', temperature: 1 }, {}, ['-2--1', '-1-0'])[0]).toBeCloseTo(1 / (1 + Math.E), 15)
  })

  test('softmax at the ends: very low temperatures give the top alone, very high ones equal shares', () => {
    expect(weightsBy({ rule: 'softmax', temperature: Number.MIN_VALUE })).toEqual([0, 0, 0, 0, 1])
    expect(weightsBy({ rule: 'softmax', temperature: Number.MAX_VALUE })).toEqual([0.2, 0.2, 0.2, 0.2, 0.2])
    expect(weightsBy({ rule: 'softmax', temperature: 1e14 }, standardize)).toEqual([0, 0, 0, 0, 0])
  })

  test('equal is what an actor has without initial weights', () => {
    expect(weightsBy({ rule: 'equal' })).toEqual(weightsBy(undefined))
    expect(weightsBy({ rule: 'equal' }, {}, ['a', 'b', 'c'])).toEqual([1 / 3, 1 / 3, 1 / 3])
  })

  test('where rewards are standardized, weights are z-scores over the subcategories: mean 0, deviation 1', () => {
    // Shares 0 0 0 1/2 1/2: mean 1/5, variance (3/25 + 2 * 9/100) / 5 = 0.06; -0.2 and 0.3 over sqrt(0.06).
    const low = expect.closeTo(-0.2 / Math.sqrt(0.06), 15)
    const high = expect.closeTo(0.3 / Math.sqrt(0.06), 15)
    expect(weightsBy({ rule: 'threshold', from: 3 }, standardize)).toEqual([low, low, low, high, high])
    expect(weightsBy({ rule: 'equal' }, standardize)).toEqual([0, 0, 0, 0, 0])
    expect(weightsBy({ rule: 'equal' }, standardize, ['a', 'b', 'c'])).toEqual([0, 0, 0])
    const weights = weightsBy({ rule: 'softmax', temperature: 2 }, standardize)
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(0, 14)
    expect(weights.reduce((sum, weight) => sum + weight * weight, 0)).toBeCloseTo(5, 14)
    // (1/13, 3/13, 9/13) less 1/3: -10/39, -4/39, 14/39; variance (100 + 16 + 196) / 39^2 / 3 = 104 / 39^2.
    const three = weightsBy({ rule: 'softmax', temperature: 1 / Math.log(3) }, standardize, ['0', '1', '2'])
    expect(three).toEqual([-10, -4, 14].map((part) => expect.closeTo(part / Math.sqrt(104), 13)))
  })

  test('other transforms, and weights that are kept to a sum of 1, leave the shares as they are', () => {
    const rule = { rule: 'threshold', from: 3 }
    expect(weightsBy(rule, { rewardTransform: { kind: 'exp' } })).toEqual([0, 0, 0, 0.5, 0.5])
    expect(weightsBy(rule, { ...standardize, normalize: 'sum' })).toEqual([0, 0, 0, 0.5, 0.5])
  })

  test('numbers that are given are never moved to another scale', () => {
    expect(weightsBy([0, 0, 0, 1, 1], standardize)).toEqual([0, 0, 0, 1, 1])
  })

  const at = 'configuration: actors.quality.initialWeights'
  test.each([
    [{ rule: 'threshold', from: '5-6' }, `${at}.from: "5-6" is no subcategory of this actor: it has "0-1", "1-2"`],
    [{ rule: 'threshold', from: 5 }, `${at}.from: 5 is no subcategory of this actor: it has 0 to 4`],
    [{ rule: 'threshold', from: -1 }, `${at}.from: must be the name of a subcategory or its index from 0`],
    [{ rule: 'threshold', from: 1.5 }, `${at}.from: must be the name of a subcategory or its index from 0`],
    [{ rule: 'threshold' }, `${at}.from: must be the name of a subcategory or its index from 0`],
    [{ rule: 'softmax' }, `${at}.temperature: must be a finite number`],
    [{ rule: 'softmax', temperature: 0 }, `${at}.temperature: must be above 0`],
    [{ rule: 'softmax', temperature: -1 }, `${at}.temperature: must be above 0`],
    [{ rule: 'softmax', temperature: Number.POSITIVE_INFINITY }, `${at}.temperature: must be a finite number`],
    [{ rule: 'softmax', temperature: '2' }, `${at}.temperature: must be a finite number`],
    [{ rule: 'softmx', temperature: 1 }, `${at}.rule: must be threshold, softmax or equal`],
    [{ rule: 'equal', temperature: 1 }, `${at}: Unrecognized key: "temperature"`],
    [{ from: 'first-domain' }, `${at}: names a campaign of proxies, which only winnow run create looks up`],
    ['equal', `${at}: must be numbers, {from: CAMPAIGN}, {rule: threshold, from}`],
    [{}, `${at}.from: must be the name of a campaign`],
  ])('%j is refused, by place and reason', (initialWeights, message) => {
    expect(() => weightsBy(initialWeights)).toThrow(message)
    expect(() => weightsBy(initialWeights)).toThrow(expect.objectContaining({ code: 'CONFIGURATION' }))
  })

  test.each([['Nature'], ['3-2'], ['1-2-3'], ['1 - 2'], ['']])('softmax needs intervals or numbers: not %j', (name) => {
    expect(() => weightsBy({ rule: 'softmax', temperature: 1 }, {}, ['0-1', name || 'a-b'])).toThrow(
      `${at}: softmax needs subcategories that are named by an interval, like 2-3, or by a number; ${JSON.stringify(name || 'a-b')} is not`,
    )
  })
})
