import { describe, expect, test } from 'vitest'
import { asDocumentId, type Manifest } from '../../schemas/index.ts'
import type { ExplainedDocument, Explanation } from '../../topologies/explain.ts'
import { explainStrategy, roundOfStrategy } from '../../topologies/explain-strategy.ts'
import { parseSelectionConfig, type SelectionConfig } from '../../topologies/selection/config.ts'
import { initialState } from '../../topologies/selection/console.ts'
import { MemoryCorpus } from '../../topologies/selection/memory-corpus.ts'
import { type Selection, select } from '../../topologies/selection/select.ts'
import { scenario } from './selection/arbitraries.ts'
import type { NaiveDocument } from './selection/naive.ts'

function corpusOf({ actors }: SelectionConfig, documents: readonly NaiveDocument[]): MemoryCorpus {
  const corpus = new MemoryCorpus(
    actors.map(({ subcategories }) => subcategories.length),
    [...actors.keys()],
  )
  for (const { docId, tokens, labels, scores } of documents) {
    const id = asDocumentId(BigInt(docId))
    corpus.add(
      id,
      tokens,
      actors.map(({ name }) => labels[name]!),
      actors.map(({ name }) => scores?.[name] ?? 0),
    )
  }
  return corpus
}

const manifestOf = (config: SelectionConfig, round: number, selection: Selection): Manifest => ({
  ...{ run: 'r', round, step: 0, actors: [], actorRewards: [], labelOffsets: [] },
  ...{
    threshold: null,
    marginal: null,
    histogramDigest: '',
    selectionDigest: '',
    selectionRoot: null,
    chunkDocuments: 1,
  },
  ...{ chunkOffsetFirst: 0, parts: [], documents: selection.documents, tokens: selection.tokens },
  theta: initialState(config).theta,
  weights: config.actors.map(({ initialWeights }) => initialWeights),
  strata: selection.strata.map(({ held, marginal: _, ...stratum }) => ({
    ...stratum,
    ...{ heldDocuments: held.documents, heldTokens: held.tokens },
  })),
})

/** Two rounds; all that the first selects is read once before the second. */
async function explained(config: SelectionConfig, documents: readonly NaiveDocument[]) {
  const corpus = corpusOf(config, documents)
  const weights = config.actors.map(({ initialWeights }) => initialWeights)
  const read = new Set<string>()
  const found: { round: number; docId: string; selected: boolean; explanation: Explanation }[] = []
  for (const round of [1, 2]) {
    const selection = await select(corpus, config, round, weights, initialState(config).theta)
    const ids: bigint[] = []
    for await (const chunk of selection.ids) ids.push(...chunk)
    const selected = new Set(ids.map(String))
    const manifest = manifestOf(config, round, selection)
    const of = await roundOfStrategy(config, config.strategy!, corpus)
    for (const { docId, tokens, labels, scores } of documents) {
      const document: ExplainedDocument = {
        ...{ docId: asDocumentId(BigInt(docId)), tokens, tookPart: true, reads: read.has(docId) ? 1 : 0 },
        labels: config.actors.map(({ name }) => labels[name]!),
        scores: config.actors.map(({ name }) => scores?.[name] ?? 0),
      }
      const explanation = explainStrategy(config, config.strategy!, manifest, document, of)
      found.push({ round, docId, selected: selected.has(docId), explanation })
    }
    corpus.addReads(BigUint64Array.from(ids), 0, ids.length, ids.length)
    for (const id of selected) read.add(id)
  }
  return found
}

describe('why a document was or was not selected by a strategy', () => {
  test('says "selected" for exactly the selected documents, over 200 random strategies', async () => {
    const verdicts = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const { config: given, documents } = scenario(seed, { strategies: true })
      const config = parseSelectionConfig(given)
      for (const { round, docId, selected, explanation } of await explained(config, documents)) {
        expect(
          explanation.verdict === 'selected',
          `scenario ${seed}, round ${round}, ${docId}: ${explanation.flip}`,
        ).toBe(selected)
        expect(explanation.flip).not.toMatch(/undefined|NaN/)
        verdicts.add(explanation.verdict)
      }
    }
    expect([...verdicts].sort()).toEqual([
      'already read',
      'below the threshold',
      'lost the draw among equals',
      'not in the pool',
      'selected',
    ])
  })

  test('names the condition, draw or share that would have changed the outcome', async () => {
    const actors = { quality: { subcategories: ['low', 'high'] }, domain: { subcategories: ['Book', 'Web'] } }
    const documents = Array.from({ length: 8 }, (_, i) => ({
      docId: `${i}`,
      tokens: 100,
      labels: { quality: i % 2, domain: i < 6 ? 0 : 1 },
      scores: { quality: i, domain: 0 },
    }))
    const config = parseSelectionConfig({
      ...{ seed: 1, actors, budget: { documents: 2 } },
      strategy: {
        pool: [{ actor: 'quality', scoreAbove: 2.5 }],
        score: { kind: 'zero' },
        mixture: { actor: 'domain', weights: [1, 0] },
      },
    })
    const flips = new Map((await explained(config, documents)).slice(0, 8).map((one) => [one.docId, one.explanation]))
    expect(flips.get('2')).toMatchObject({
      verdict: 'not in the pool',
      flip: 'a score of quality above 2.5; it has quality 2.000',
    })
    expect(flips.get('7')).toMatchObject({
      verdict: 'below the threshold',
      flip: 'a larger share: nothing was taken of domain Web in the pool',
    })
    const draws = ['3', '4', '5'].map((id) => flips.get(id)!)
    expect(draws.map(({ verdict }) => verdict).sort()).toEqual(['lost the draw among equals', 'selected', 'selected'])
    for (const { flip } of draws)
      expect(flip).toBe('the draw: 2 of 3 documents of domain Book in the pool were taken, by the seed')
  })

  test('uses the theta that counts: under competitive, none for an actor left out', async () => {
    const given = {
      seed: 1,
      actors: {
        quality: { subcategories: ['low', 'high'], initialTheta: 0.75 },
        domain: { subcategories: ['Book', 'Web'], initialTheta: 0.25 },
      },
      budget: { documents: 1 },
      collaboration: 'competitive',
    }
    const documents = [{ docId: '1', tokens: 1, labels: { quality: 1, domain: 0 } }]
    const thetasOf = async (strategy: object) =>
      (await explained(parseSelectionConfig({ ...given, strategy }), documents))[0]!.explanation.contributions.map(
        ({ theta }) => theta,
      )
    expect(await thetasOf({})).toEqual([0.75, 0])
    expect(await thetasOf({ score: { kind: 'zero' } })).toEqual([0, 0])
  })
})
