import fc from 'fast-check'
import { expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { parseSelectionConfig } from '../../../topologies/selection/config.ts'
import { MemoryCorpus } from '../../../topologies/selection/memory-corpus.ts'
import { select } from '../../../topologies/selection/select.ts'
import { u64Max } from '../../../topologies/selection/u64.ts'

const sizes = [2, 3]
const actors = { quality: { subcategories: ['low', 'high'] }, domain: { subcategories: ['a', 'b', 'c'] } }
interface Row {
  id: bigint
  tokens: number
  labels: number[]
  score: number
}

/** Few distinct scores, so that they tie, and any; ids over all 64 bits. */
const score = fc.oneof(fc.constantFrom(-1, 0, -0, 2.5), fc.double({ min: -(2 ** 31), max: 2 ** 31, noNaN: true }))
const row = fc.record({
  id: fc.bigInt({ min: 0n, max: u64Max }),
  tokens: fc.nat(50),
  labels: fc.tuple(fc.nat(1), fc.nat(2)).map((pair) => [...pair]),
  score,
})
const rows = fc.uniqueArray(row, { selector: ({ id }) => id, minLength: 1, maxLength: 60 })
const temperature = fc.oneof(fc.constantFrom(1e-300, 0.5, 2, 1e300), fc.double({ min: 1e-9, max: 1e9, noNaN: true }))
const sampler = fc.oneof(
  fc.constant({ kind: 'top' }),
  temperature.map((t) => ({ kind: 'gumbel', temperature: t })),
)

async function selected(documents: readonly Row[], seed: number, budget: object, strategy: object) {
  const corpus = new MemoryCorpus(sizes, [0])
  for (const { id, tokens, labels, score: own } of documents) corpus.add(asDocumentId(id), tokens, labels, [own])
  const config = parseSelectionConfig({ seed, actors, budget, strategy })
  const weights = sizes.map((size) => new Array<number>(size).fill(0))
  const { ids, strata } = await select(corpus, config, 1, weights, [0.5, 0.5])
  const all = new Set<bigint>()
  for await (const chunk of ids) for (const id of chunk) all.add(id)
  return { ids: all, strata }
}

const ofLabel = { kind: 'label', actor: 'quality' }

test('gumbel with one score for all is the random draw, whatever the score, its sign and the temperature', async () => {
  const one = fc.record({
    documents: rows,
    score,
    temperature,
    seed: fc.nat(),
    budget: fc.integer({ min: 1, max: 70 }),
  })
  await fc.assert(
    fc.asyncProperty(one, fc.constantFrom(1, -1), async ({ documents, seed, budget, ...given }, sign) => {
      const same = documents.map((document) => ({ ...document, score: given.score }))
      // A score so large against the temperature that no noise shows leaves the order to the keys: the random draw as well.
      const gumbel = { kind: 'gumbel', temperature: given.temperature }
      const random = await selected(same, seed, { documents: budget }, { score: { kind: 'zero' } })
      const drawn = await selected(same, seed, { documents: budget }, { score: { ...ofLabel, sign }, sampler: gumbel })
      expect(drawn.ids).toEqual(random.ids)
    }),
  )
})

test('more budget never drops a document, in documents and in tokens', async () => {
  const budgets = fc.tuple(fc.integer({ min: 1, max: 1500 }), fc.integer({ min: 0, max: 1500 }))
  const standardize = fc.constantFrom('none', 'corpus')
  await fc.assert(
    fc.asyncProperty(
      ...([rows, fc.nat(), budgets, sampler, standardize, fc.constantFrom('documents', 'tokens')] as const),
      async (documents, seed, [less, more], sampling, standard, unit) => {
        const strategy = { score: { ...ofLabel, standardize: standard }, sampler: sampling }
        const before = await selected(documents, seed, { [unit]: less }, strategy)
        const after = await selected(documents, seed, { [unit]: less + more }, strategy)
        expect([...before.ids].filter((id) => !after.ids.has(id))).toEqual([])
      },
    ),
  )
})

test('the quotas of a mixture add up to the budget, each stratum has its quota or all that it holds, and they share the rest', async () => {
  const weights = fc
    .array(fc.constantFrom<number>(0, 1, 1, 2.5, 1e-9, 1e9), { minLength: 3, maxLength: 3 })
    .filter((all) => all.some((weight) => weight > 0))
  await fc.assert(
    fc.asyncProperty(
      ...([rows, fc.nat(), fc.integer({ min: 1, max: 80 }), weights, sampler] as const),
      async (documents, seed, budget, mixture, sampling) => {
        const strategy = { score: ofLabel, mixture: { actor: 'domain', weights: mixture }, sampler: sampling }
        const { ids } = await selected(documents, seed, { documents: budget }, strategy)
        const of = (j: number) => documents.filter(({ labels }) => labels[1] === j)
        const usable = mixture.reduce((sum, weight, j) => sum + (weight > 0 ? of(j).length : 0), 0)
        expect(ids.size).toBe(Math.min(budget, usable))
        for (const [j, weight] of mixture.entries())
          if (weight === 0) expect(of(j).filter(({ id }) => ids.has(id))).toEqual([])
      },
    ),
  )
})
