import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { parseSelectionConfig } from '../../../topologies/selection/config.ts'
import { apportioned } from '../../../topologies/selection/guards.ts'
import type { GuardRule } from '../../../topologies/selection/guards-config.ts'
import { MemoryCorpus } from '../../../topologies/selection/memory-corpus.ts'
import { select } from '../../../topologies/selection/select.ts'

const actors = {
  quality: { subcategories: ['low', 'high'], initialWeights: [0, 0.5], initialTheta: 1 },
  domain: { subcategories: ['web', 'code', 'books'], initialWeights: [1, 0, -1], initialTheta: 1 },
}
const given = { seed: 7, actors, firstSelection: 'weights', budget: { documents: 100 } }
const rule = (kind: GuardRule['kind'], place: string, share: number) => {
  const [actor, subcategory] = place.split('=')
  return { kind, actor, subcategory, share }
}

/** Of 50 documents of each of the six cells, how many a selection has of each subcategory. */
async function taken(guards: object, more: object = {}) {
  const corpus = new MemoryCorpus([2, 3])
  let id = 0
  for (let i = 0; i < 50; i++)
    for (const quality of [0, 1])
      for (const domain of [0, 1, 2]) corpus.add(asDocumentId(BigInt(id++)), 10, [quality, domain])
  const config = parseSelectionConfig({ ...given, ...more, guards })
  const weights = config.actors.map(({ initialWeights }) => initialWeights)
  const { ids, ...selection } = await select(corpus, config, 0, weights, [1, 1])
  const all: bigint[] = []
  for await (const chunk of ids) all.push(...chunk)
  const described = await corpus.describe(all.map((one) => asDocumentId(one)))
  const counts: Record<string, number> = { low: 0, high: 0, web: 0, code: 0, books: 0 }
  for (const { labels } of described.values())
    for (const [a, { subcategories }] of config.actors.entries()) counts[subcategories[labels[a]!]!]! += 1
  return { ...counts, documents: selection.documents, tokens: selection.tokens }
}

/** What is selected of 300 documents, 50 of each cell: those of number id are books where id / 7 mod 3 is 2. */
async function ids(more: object) {
  const corpus = new MemoryCorpus([2, 3])
  for (let id = 0; id < 300; id++) corpus.add(asDocumentId(BigInt(id * 7)), 10, [id % 2, id % 3])
  const config = parseSelectionConfig({ ...given, ...more })
  const weights = config.actors.map(({ initialWeights }) => initialWeights)
  const all: bigint[] = []
  for await (const chunk of (await select(corpus, config, 0, weights, [1, 1])).ids) all.push(...chunk)
  return all
}

describe('guards of subcategories', () => {
  test('a floor is filled first, a cap is not exceeded, a pin is both; the rest goes by score', async () => {
    expect(await taken({})).toMatchObject({ web: 100, documents: 100 })
    expect(await taken({ rules: [rule('floor', 'domain=books', 0.2)] })).toMatchObject({ books: 20, web: 80 })
    expect(await taken({ rules: [rule('cap', 'domain=web', 0.3)] })).toMatchObject({ web: 30, code: 70 })
    const pins = [rule('pin', 'domain=web', 0.1), rule('pin', 'domain=code', 0.15)]
    expect(await taken({ rules: pins })).toMatchObject({ web: 10, code: 15, books: 75 })
    expect(await taken({ rules: [rule('floor', 'quality=low', 0.6), rule('cap', 'domain=web', 0.4)] })).toMatchObject({
      ...{ low: 60, high: 40, web: 40, code: 60, documents: 100 },
    })
  })

  test('budgets of tokens are guarded in tokens', async () => {
    const rules = [rule('floor', 'domain=books', 0.2), rule('cap', 'domain=web', 0.3)]
    expect(await taken({ rules }, { budget: { tokens: 1000 } })).toMatchObject({
      books: 20,
      web: 30,
      code: 50,
      tokens: 1000,
    })
  })

  test('a level that a guard does not divide is taken in proportion', async () => {
    const drawn = await taken({ rules: [rule('cap', 'domain=web', 0.9)] }, { firstSelection: 'random' })
    expect(drawn).toMatchObject({ web: 33, documents: 100 })
  })

  test('a natural share takes of every level what it holds, and the rest goes by score', async () => {
    const other = (share: number) => ({ other: { bound: 1, share } })
    // 60 of 100 are natural, 10 of each cell; the 40 others are what is left of the best cell. Of the other five it is 50, by the seed.
    expect(await taken(other(0.6))).toMatchObject({ high: 72, low: 28, web: 58, code: 18, books: 24, documents: 100 })
    expect(await taken(other(0.6), { budget: { tokens: 1000 } })).toMatchObject({ web: 58, code: 18, books: 24 })
    const capped = [rule('cap', 'domain=books', 0.1), rule('pin', 'domain=code', 0.05)]
    expect(await taken({ rules: capped, ...other(0.9) })).toMatchObject({ books: 10, code: 5, web: 85 })
    // Floors are filled before: what they take is the best of their subcategory.
    const floor = [rule('floor', 'domain=books', 0.5)]
    expect(await taken({ rules: floor, ...other(0.5) })).toMatchObject({ books: 60, high: 73, low: 27 })
  })

  test('without a natural share a selection has the bits that it has without a bound, and with all of it those of a random one', async () => {
    const bound = (share: number) => ({ guards: { other: { bound: 0.2, share } } })
    expect(await ids(bound(0))).toEqual(await ids({}))
    expect(await ids(bound(1))).toEqual(await ids({ strategy: { score: { kind: 'zero' } } }))
    // What the score takes without a bound, and what a random selection has of the rest, come first.
    const half = new Set(await ids(bound(0.5)))
    expect(half.size).toBe(100)
    expect([...half]).not.toEqual(await ids({}))
  })

  test('a guard that binds nothing leaves whole levels alone, and divides the last one in proportion where the seed would', async () => {
    const idle = { guards: { rules: [rule('cap', 'domain=books', 1)] } }
    // The 50 best of the web are taken whole, and the level after them.
    expect(await ids(idle)).toEqual(await ids({}))
    const random = { firstSelection: 'random', budget: { documents: 99 } }
    const [drawn, divided] = [await ids(random), await ids({ ...random, ...idle })]
    const books = (some: readonly bigint[]) => some.filter((id) => (id / 7n) % 3n === 2n).length
    expect([drawn.length, divided.length, books(divided)]).toEqual([99, 99, 33])
    expect(books(drawn)).not.toBe(33)
  })

  test('a floor that the pool cannot fill takes all there is', async () => {
    expect(await taken({ rules: [rule('floor', 'domain=books', 0.9)] }, { budget: { documents: 200 } })).toMatchObject({
      ...{ books: 100, web: 100, documents: 200 },
    })
  })

  test('shares of an amount add up to it, and none is above its own', () => {
    const weights = fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(weights, fc.nat(1000), (some, part) => {
        const total = some.reduce((sum, one) => sum + BigInt(one), 0n)
        const amount = Number((total * BigInt(part)) / 1000n)
        if (total === 0n || !Number.isSafeInteger(amount)) return
        const shares = apportioned(amount, some)
        expect(shares.reduce((sum, one) => sum + one, 0)).toBe(amount)
        expect(shares.every((share, i) => share >= 0 && share <= some[i]!)).toBe(true)
      }),
    )
  })
})

describe('guards that cannot hold are refused by name', () => {
  const problem = (guards: object, more: object = {}) => {
    try {
      parseSelectionConfig({ ...given, ...more, guards })
    } catch (error) {
      return (error as Error).message
    }
    return undefined
  }
  const floor = rule('floor', 'domain=web', 0.5)

  test.each([
    [{ rules: [rule('floor', 'domain=code', 0.1234567)] }, {}, 'at most six decimals'],
    [
      { rules: [rule('floor', 'style=code', 0.1)] },
      {},
      'guards.rules.0.actor: names no actor; they are quality, domain',
    ],
    [{ rules: [rule('cap', 'domain=film', 0.1)] }, {}, 'names none of domain; they are web, code, books'],
    [{ rules: [floor, floor] }, {}, 'floor domain=web: there is a floor of it already'],
    [{ rules: [floor, rule('pin', 'domain=web', 0.5)] }, {}, 'pin domain=web: there is a floor of it already'],
    [{ rules: [floor, rule('cap', 'domain=web', 0.4)] }, {}, 'the floor of domain=web is above its cap'],
    [{ rules: [floor, rule('pin', 'domain=code', 0.6)] }, {}, 'add up to 1.1, which is more than 1'],
    [{ rules: [rule('cap', 'quality=low', 0.5), rule('cap', 'quality=high', 0.4)] }, {}, 'nothing could fill the rest'],
    [{ rules: [floor] }, { strategy: { mixture: { actor: 'domain', proportional: true } } }, 'strategy.mixture'],
    [
      { rules: [floor] },
      { strategy: { sampler: { kind: 'gumbel', temperature: 1 } } },
      'a selection that cells decide',
    ],
    [{ repetitions: { most: 0 } }, {}, 'must be an integer of at least 1'],
    [{ other: { bound: 0 } }, {}, 'guards.other.bound: must be above 0'],
    [{ other: { bound: 0.2, from: 0.2 } }, {}, 'guards.other: from 0.2 must be below the bound, 0.2'],
    [{ other: { bound: 0.2, against: true } }, {}, 'guards.other.against: must be a run or a number'],
    [{ other: { bound: 0.2, share: 2 } }, {}, 'guards.other.share: must be at most 1'],
    [
      { other: { bound: 0.2 } },
      { strategy: { mixture: { actor: 'domain', proportional: true } } },
      'guards.other: cannot be combined with strategy.mixture',
    ],
    [
      { other: { bound: 0.2 } },
      { strategy: { score: { kind: 'label', actor: 'quality' } } },
      'guards.other: needs a selection that cells decide',
    ],
  ])('%j %j', (guards, more, message) => {
    expect(problem(guards, more)).toContain(message)
  })

  test('and those that can are kept as they are written, with who and why', () => {
    const rules = [{ ...floor, by: 'ada', why: 'the web is what we serve' }]
    expect(parseSelectionConfig({ ...given, guards: { rules, repetitions: { most: 2 } } }).guards).toEqual({
      ...{ rules, repetitions: { most: 2 } },
    })
    expect(parseSelectionConfig(given)).not.toHaveProperty('guards')
  })
})
