import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { parseSelectionConfig, type SelectionConfig } from '../../../topologies/selection/config.ts'
import { gumbel, gumbelNearly } from '../../../topologies/selection/gumbel.ts'
import { MemoryCorpus } from '../../../topologies/selection/memory-corpus.ts'
import { quotasOf, sharesOf } from '../../../topologies/selection/quotas.ts'
import { nearestDouble } from '../../../topologies/selection/rational.ts'
import { type Selection, select } from '../../../topologies/selection/select.ts'
import type { Strategy } from '../../../topologies/selection/strategy.ts'
import { splitmix64, u64Max } from '../../../topologies/selection/u64.ts'
import { naiveGumbel } from './naive-strategy.ts'

const actors = { quality: { subcategories: ['low', 'high'] }, domain: { subcategories: ['a', 'b', 'c'] } }
const configOf = (strategy: object | undefined, more: object = {}): SelectionConfig =>
  parseSelectionConfig({ seed: 7, actors, budget: { documents: 10 }, ...more, ...(strategy && { strategy }) })

/** Documents 0 to n - 1 of 10 tokens: quality low and high by turns, domain c once in four, score the number itself. */
function corpusOf(ids: readonly bigint[], scoreOf = (i: number) => i): MemoryCorpus {
  const corpus = new MemoryCorpus([2, 3], [0])
  for (const [i, id] of ids.entries()) corpus.add(asDocumentId(id), 10, [i % 2, i % 4 === 3 ? 2 : i % 2], [scoreOf(i)])
  return corpus
}
const numbered = (n: number) => Array.from({ length: n }, (_, i) => BigInt(i))

const equal = [
  [0, 0],
  [0, 0, 0],
]
async function selected(
  corpus: MemoryCorpus,
  config: SelectionConfig,
): Promise<{ ids: bigint[] } & Omit<Selection, 'ids'>> {
  const selection = await select(corpus, config, 1, equal, [0.5, 0.5])
  const ids: bigint[] = []
  for await (const chunk of selection.ids) ids.push(...chunk)
  return { ...selection, ids: ids.sort((a, b) => (a < b ? -1 : 1)) }
}

describe('the noise of the sampler gumbel', () => {
  test('has the values that SELECTION.md names', () => {
    expect(gumbel(0n)).toBe(45.054566736396445)
    expect(gumbel(2n ** 63n)).toBe(0.36651292058166435)
    expect(gumbel(2n ** 64n - 1n)).toBe(-3.807874349313973)
    expect(gumbel(0x0123456789abcdefn)).toBe(5.413874053747803)
  })

  test('is correctly rounded, and near what the engine computes', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: u64Max }), (key) => {
        const exact = gumbel(key)
        expect(exact).toBe(naiveGumbel(key))
        const nearly = gumbelNearly(Number(key & 0xffffffffn), Number(key >> 32n))
        expect(Math.abs(nearly - exact)).toBeLessThan(1e-12)
      }),
      {
        numRuns: 100,
        examples: [0n, 1n, u64Max, u64Max - 1n, 2n ** 63n, 2n ** 63n - 1n, u64Max - 2n ** 33n].map((key): [bigint] => [
          key,
        ]),
      },
    )
  })

  test('quotients are rounded once, ties to even', () => {
    fc.assert(fc.property(fc.bigInt({ min: -(2n ** 90n), max: 2n ** 90n }), (n) => nearestDouble(n, 1n) === Number(n)))
    expect(nearestDouble(1n, 3n)).toBe(1 / 3)
    expect(nearestDouble(2n ** 53n + 1n, 2n)).toBe(2 ** 52)
    expect(nearestDouble(2n ** 53n + 3n, 2n)).toBe(2 ** 52 + 2)
  })
})

describe('quotas of a mixture', () => {
  test('add up to the budget, and the shortfall of one is shared among the others', () => {
    expect(quotasOf(10, [1, 1, 1])).toEqual([3, 4, 3])
    expect(sharesOf(200, [0.8793687967637468, 0.8720787444477768, 0.5], [0, 200, 200])).toEqual([
      Number.POSITIVE_INFINITY,
      127,
      73,
    ])
    const weight = fc.double({ min: 0, max: 1e6, noNaN: true })
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1 }), fc.integer({ min: 1, max: 1e9 }), (weights, budget) => {
        fc.pre(weights.some((w) => w > 0))
        const quotas = quotasOf(budget, weights)
        expect(quotas.reduce((sum, quota) => sum + quota, 0)).toBe(budget)
        expect(quotas.every((quota) => quota >= 0)).toBe(true)
      }),
    )
  })

  test("Table 10's row of RegMix over 30 billion tokens sums exactly, though the row sums to 99.98", () => {
    const quotas = quotasOf(30_000_000_000, [17.37, 51.03, 0.23, 0.23, 0.08, 29.77, 1.27])
    expect(quotas.reduce((sum, quota) => sum + quota, 0)).toBe(30_000_000_000)
  })

  test('fill each stratum by key, and report what each contributed', async () => {
    const strategy = { score: { kind: 'zero' }, mixture: { actor: 'domain', weights: [1, 0, 3] } }
    const { ids, strata } = await selected(corpusOf(numbered(40)), configOf(strategy, { budget: { documents: 12 } }))
    // Of domain c (every fourth) there are 10, 9 are wanted; of b none.
    expect(strata.map(({ quota, documents }) => [quota, documents])).toEqual([
      [3, 3],
      [0, 0],
      [9, 9],
    ])
    expect(ids.filter((id) => id % 4n === 3n)).toHaveLength(9)
    expect(ids.filter((id) => id % 4n === 1n)).toHaveLength(0)
  })
})

describe('a pool', () => {
  const pooled = async (pool: Strategy['pool'], n = 100) =>
    (
      await selected(
        corpusOf(numbered(n), (i) => i + 1),
        configOf({ pool, score: { kind: 'zero' } }, { budget: { documents: n } }),
      )
    ).ids.map((id) => Number(id) + 1)

  const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

  test('of quantiles are the bands of perplexity: low 1 to 50, medium 26 to 75, high 51 to 100', async () => {
    expect(await pooled([{ actor: 'quality', quantiles: [0, 0.5] }])).toEqual(range(1, 50))
    expect(await pooled([{ actor: 'quality', quantiles: [0.25, 0.75] }])).toEqual(range(26, 75))
    expect(await pooled([{ actor: 'quality', quantiles: [0.5, 1] }])).toEqual(range(51, 100))
  })

  test('above a score excludes the score itself', async () => {
    expect(await pooled([{ actor: 'quality', scoreAbove: 97 }])).toEqual([98, 99, 100])
  })

  test('holds the documents that satisfy all conditions; from an empty one nothing is selected', async () => {
    const high = { actor: 'quality', subcategories: ['high'] }
    expect(await pooled([high, { actor: 'quality', scoreAbove: 95 }])).toEqual([96, 98, 100])
    expect(await pooled([{ tokensMin: 11 }])).toEqual([])
    expect(await pooled([{ actor: 'domain', subcategories: [] }])).toEqual([])
  })
})

describe('a draw by gumbel', () => {
  test('with equal scores is the random draw, whatever the temperature', async () => {
    const corpus = corpusOf(numbered(1000), () => 3)
    const random = await selected(corpus, configOf({ score: { kind: 'zero' } }))
    for (const temperature of [1e-6, 0.5, 2, 1e6]) {
      const sampler = { kind: 'gumbel', temperature }
      const label = { kind: 'label', actor: 'quality' }
      expect((await selected(corpus, configOf({ score: { kind: 'zero' }, sampler }))).ids).toEqual(random.ids)
      expect((await selected(corpus, configOf({ score: label, sampler }))).ids).toEqual(random.ids)
    }
  })

  test('is top-k at a temperature near 0, and random at a high one', async () => {
    const corpus = corpusOf(numbered(1000))
    const score = { kind: 'label', actor: 'quality' }
    const cold = await selected(corpus, configOf({ score, sampler: { kind: 'gumbel', temperature: 1e-9 } }))
    expect(cold.ids).toEqual(numbered(1000).slice(990))
    const hot = await selected(corpus, configOf({ score, sampler: { kind: 'gumbel', temperature: 1e12 } }))
    expect(hot.ids).toEqual((await selected(corpus, configOf({ score: { kind: 'zero' } }))).ids)
  })

  test('takes a document first with the probability of softmax, over 10,000 random sets of ids', async () => {
    const scores = [0, 0.5, 1, 2]
    const config = configOf(
      { score: { kind: 'label', actor: 'quality' }, sampler: { kind: 'gumbel', temperature: 1 } },
      { budget: { documents: 1 } },
    )
    const counts = scores.map(() => 0)
    const sets = 10_000
    for (let set = 0; set < sets; set++) {
      const ids = scores.map((_, i) => splitmix64(BigInt(set * 4 + i)))
      const [first] = (
        await selected(
          corpusOf(ids, (i) => scores[i]!),
          config,
        )
      ).ids
      counts[ids.indexOf(first!)]! += 1
    }
    const total = scores.reduce((sum, s) => sum + Math.exp(s), 0)
    const chiSquare = scores.reduce((sum, s, i) => {
      const expected = (sets * Math.exp(s)) / total
      return sum + (counts[i]! - expected) ** 2 / expected
    }, 0)
    // The 99.9% quantile of chi-square with 3 degrees of freedom.
    expect(chiSquare).toBeLessThan(16.27)
  })

  test('a larger budget never drops a document', async () => {
    const corpus = corpusOf(numbered(500), (i) => (i * 37) % 11)
    const strategy = { score: { kind: 'label', actor: 'quality' }, sampler: { kind: 'gumbel', temperature: 2 } }
    let before = new Set<bigint>()
    for (const documents of [1, 2, 50, 51, 200, 500]) {
      const { ids, strata } = await selected(corpus, configOf(strategy, { budget: { documents } }))
      expect(ids).toHaveLength(documents)
      expect([...before].every((id) => ids.includes(id))).toBe(true)
      expect(strata[0]!.refined).toBeLessThan(20)
      before = new Set(ids)
    }
  })
})

describe('an invalid strategy', () => {
  const label = { kind: 'label', actor: 'quality' }
  test.each<[string, object, string]>([
    ['a pool by an unknown actor', { pool: [{ actor: 'x', scoreAbove: 1 }] }, 'strategy.pool.0.actor'],
    [
      'a pool by an unknown subcategory',
      { pool: [{ actor: 'quality', subcategories: ['x'] }] },
      'strategy.pool.0.subcategories',
    ],
    ['quantiles that cross', { pool: [{ actor: 'quality', quantiles: [0.5, 0.5] }] }, 'strategy.pool.0'],
    ['quantiles beyond 1', { pool: [{ actor: 'quality', quantiles: [0, 1.5] }] }, 'strategy.pool.0'],
    ['two conditions in one', { pool: [{ actor: 'quality', scoreAbove: 1, quantiles: [0, 1] }] }, 'strategy.pool.0'],
    ['a score by an unknown actor', { score: { ...label, actor: 'x' } }, 'strategy.score.actor'],
    ['a sign of 2', { score: { ...label, sign: 2 } }, 'strategy.score.sign'],
    ['a score of an unknown kind', { score: { kind: 'best' } }, 'strategy.score'],
    ['weights of the wrong length', { mixture: { actor: 'domain', weights: [1, 2] } }, 'strategy.mixture.weights'],
    ['weights that are all 0', { mixture: { actor: 'domain', weights: [0, 0, 0] } }, 'strategy.mixture'],
    ['a negative weight', { mixture: { actor: 'domain', weights: [1, -1, 0] } }, 'strategy.mixture'],
    ['weights with an infinite sum', { mixture: { actor: 'domain', weights: [1e308, 1e308, 0] } }, 'strategy.mixture'],
    [
      'weights and proportional',
      { mixture: { actor: 'domain', weights: [1, 1, 1], proportional: true } },
      'strategy.mixture',
    ],
    ['a temperature of 0', { sampler: { kind: 'gumbel', temperature: 0 } }, 'strategy.sampler.temperature'],
    ['a temperature left out', { sampler: { kind: 'gumbel' } }, 'strategy.sampler.temperature'],
    ['an unknown part', { stages: 'once' }, 'strategy'],
  ])('%s is refused, naming the place', (_, strategy, place) => {
    expect(() => configOf(strategy)).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION', message: expect.stringContaining(place) }),
    )
  })
})
