import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { parseSelectionConfig } from '../../../topologies/selection/config.ts'
import { key } from '../../../topologies/selection/draw.ts'
import { type Group, histogramDigest } from '../../../topologies/selection/groups.ts'
import { MemoryCorpus } from '../../../topologies/selection/memory-corpus.ts'
import { planSelection } from '../../../topologies/selection/plan.ts'
import { timesRead } from '../../../topologies/selection/reads.ts'
import { scoreOf } from '../../../topologies/selection/score.ts'
import { select } from '../../../topologies/selection/select.ts'
import { compareIds, seedOf } from '../../../topologies/selection/u64.ts'

const group = (label: number, documents: number, tokens = documents * 10, reads = 0): Group => ({
  labels: [label],
  reads,
  documents,
  tokens,
})
const scores = [3, 1, 1, 0, -0]
const score = (labels: readonly number[]) => scores[labels[0]!]!
const groups = [group(0, 2), group(1, 4), group(2, 3), group(3, 1), group(4, 1)]

describe('the plan of a selection', () => {
  test('takes whole levels from the best score down and cuts the one that exceeds the budget', () => {
    const plan = planSelection(groups, score, { documents: 5 })
    expect(plan.whole).toEqual([groups[0]])
    expect(plan.marginal).toEqual({
      score: 1,
      groups: [groups[1], groups[2]],
      documents: 7,
      remaining: { documents: 3 },
    })
    expect(plan.threshold).toBe(1)
  })

  test('cuts nothing if the documents fit exactly', () => {
    const plan = planSelection(groups, score, { documents: 9 })
    expect(plan.whole).toEqual(groups.slice(0, 3))
    expect(plan).toMatchObject({ marginal: null, threshold: 1, wholeDocuments: 9, wholeTokens: 90 })
  })

  test('treats 0 and -0 as one level', () => {
    const plan = planSelection(groups, score, { documents: 10 })
    expect(plan.marginal).toMatchObject({ groups: [groups[3], groups[4]], remaining: { documents: 1 } })
  })

  test('cuts a level whose tokens reach the budget exactly, since documents of 0 tokens at its end do not belong', () => {
    expect(planSelection(groups, score, { tokens: 20 }).marginal).toMatchObject({
      score: 3,
      remaining: { tokens: 20 },
    })
    expect(planSelection(groups, score, { tokens: 21 })).toMatchObject({
      whole: [groups[0]],
      marginal: { score: 1, remaining: { tokens: 1 } },
    })
  })

  test('takes everything if the budget exceeds the corpus, and nothing of an empty one', () => {
    expect(planSelection(groups, score, { documents: 1e18 })).toMatchObject({
      wholeDocuments: 11,
      marginal: null,
      threshold: 0,
    })
    expect(planSelection([], score, { documents: 1 })).toMatchObject({
      wholeDocuments: 0,
      marginal: null,
      threshold: null,
    })
  })

  test('refuses a score that is not a number', () => {
    expect(() => planSelection(groups, () => Number.NaN, { documents: 1 })).toThrow('is not a number')
  })
})

describe('the score', () => {
  const config = (options: object) => {
    const a = { subcategories: ['x', 'y'] }
    return parseSelectionConfig({ seed: 1, budget: { documents: 1 }, actors: { a, b: a }, ...options })
  }
  const weights = [
    [1, 2],
    [3, 4],
  ]
  const theta = [0.5, -2]

  test.each([
    // 0.5 * 2 + -2 * 3
    ['collaborative', {}, -5],
    // Only a, whose theta is larger: 0.5 * 2.
    ['competitive', { collaboration: 'competitive' }, 1],
    // w_b alone.
    ['single', { collaboration: 'single:b' }, 3],
    // -5 * (1 + 0.1 * 10): below 0, being read must not raise the rank.
    ['repetition decay below 0', { repetitionDecay: 0.1 }, -10],
    // 3 / (1 + 0.1 * 10)
    ['repetition decay above 0', { repetitionDecay: 0.1, collaboration: 'single:b' }, 1.5],
  ])('%s', (_, options, expected) => {
    expect(scoreOf(config(options), 1, weights, theta)([1, 0], 10)).toBe(expected)
  })

  test('under competitive uses the first of equal thetas', () => {
    expect(scoreOf(config({ collaboration: 'competitive' }), 1, weights, [1, 1])([1, 0], 0)).toBe(2)
  })

  test('round 0 is random unless the initial weights are asked for', () => {
    expect(scoreOf(config({}), 0, weights, theta)([1, 0], 0)).toBe(0)
    expect(scoreOf(config({ firstSelection: 'weights' }), 0, weights, theta)([1, 0], 0)).toBe(-5)
  })
})

describe('what a trainer has read', () => {
  test.each([
    // Of 3 documents 7 passed: 3, 2, 2.
    [0, 3, 7, 3],
    [1, 3, 7, 2],
    [2, 3, 7, 2],
    [0, 3, 0, 0],
    [1, 3, 1, 0],
    [2, 3, 3, 1],
  ])('document %d of %d after %d was read %d times', (index, documents, passed, times) => {
    expect(timesRead(index, documents, passed)).toBe(times)
  })
})

describe('a selection from memory', () => {
  const config = (budget: object) =>
    parseSelectionConfig({ seed: 3, actors: { a: { subcategories: ['x', 'y'] } }, budget })

  test('never exceeds the budget when all scores tie, and a token budget ends with the first document that reaches it', async () => {
    const tokens = fc.array(fc.nat(5), { minLength: 1, maxLength: 300 })
    await fc.assert(
      fc.asyncProperty(tokens, fc.integer({ min: 1, max: 400 }), async (documents, amount) => {
        const corpus = new MemoryCorpus([2])
        for (const [i, count] of documents.entries()) corpus.add(asDocumentId(BigInt(i)), count, [i % 2])
        const byDocuments = await select(corpus, config({ documents: amount }), 1, [[0.5, 0.5]], [1])
        expect(await idsOf(byDocuments.ids)).toHaveLength(Math.min(amount, documents.length))
        const byTokens = await select(corpus, config({ tokens: amount }), 1, [[0.5, 0.5]], [1])
        const ids = await idsOf(byTokens.ids)
        const total = ids.reduce((sum, id) => sum + documents[Number(id)]!, 0)
        expect({ documents: byTokens.documents, tokens: byTokens.tokens }).toEqual({
          documents: ids.length,
          tokens: total,
        })
        if (total >= amount) expect(total - amount).toBeLessThan(5)
        else expect(ids).toHaveLength(documents.length)
      }),
    )
  })

  test('reports where the budget cuts', async () => {
    const corpus = new MemoryCorpus([2])
    for (let i = 0n; i < 10n; i++) corpus.add(asDocumentId(i), 5, [Number(i % 2n)])
    const selection = await select(corpus, config({ documents: 7 }), 1, [[0.25, 0.75]], [2])
    const [stratum] = selection.strata
    expect(selection).toMatchObject({ documents: 7, tokens: 35 })
    expect(stratum).toMatchObject({ subcategory: null, quota: 7, documents: 7, tokens: 35, threshold: 0.5, refined: 0 })
    // The cell of even ids: taken up to the second smallest of its keys.
    const keys = [0n, 2n, 4n, 6n, 8n].map((id) => key(asDocumentId(id), seedOf(3, 1, 'select'))).sort(compareIds)
    expect(stratum!.marginal).toEqual({ score: 0.5, groups: 1, documents: 5, taken: 2, keyLast: keys[1] })
    expect(selection.histogramDigest).toBe(histogramDigest([group(1, 5, 25), group(0, 5, 25)]))
  })

  test('holds each document once, grouped by cell and reads', async () => {
    const corpus = new MemoryCorpus([2, 3])
    expect(corpus.add(asDocumentId(2n ** 64n - 1n), 5, [1, 2])).toBe(true)
    expect(corpus.add(asDocumentId(2n ** 64n - 1n), 7, [0, 0])).toBe(false)
    for (let i = 0n; i < 5000n; i++) corpus.add(asDocumentId(i << 20n), 1, [0, 1])
    corpus.addReads(BigUint64Array.from([1n << 20n, 2n << 20n]), 0, 2, 3)
    const groups = await corpus.groups()
    expect(groups).toContainEqual({ labels: [1, 2], reads: 0, documents: 1, tokens: 5 })
    expect(groups).toContainEqual({ labels: [0, 1], reads: 2, documents: 1, tokens: 1 })
    expect(groups).toContainEqual({ labels: [0, 1], reads: 1, documents: 1, tokens: 1 })
    expect(groups).toContainEqual({ labels: [0, 1], reads: 0, documents: 4998, tokens: 4998 })
    expect(corpus.size).toBe(5001)
  })
})

async function idsOf(chunks: AsyncIterable<BigUint64Array>): Promise<bigint[]> {
  const ids: bigint[] = []
  for await (const chunk of chunks) ids.push(...chunk)
  expect(new Set(ids).size).toBe(ids.length)
  return ids
}
