import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { WinnowError } from '../../../topologies/errors.ts'
import { parseSelectionConfig, type SelectionConfig } from '../../../topologies/selection/config.ts'
import { foldRound, initialState } from '../../../topologies/selection/console.ts'
import { MemoryCorpus } from '../../../topologies/selection/memory-corpus.ts'
import { countedReward } from '../../../topologies/selection/price.ts'
import { type DocumentReward, rewardColumns } from '../../../topologies/selection/rewards.ts'
import { select } from '../../../topologies/selection/select.ts'
import { seedOf } from '../../../topologies/selection/u64.ts'
import { type Scenario, scenario } from './arbitraries.ts'
import { byKey, type NaiveRound, naiveRun, naiveSeed } from './naive.ts'

function corpusOf(config: SelectionConfig, { documents }: Scenario): MemoryCorpus {
  const corpus = new MemoryCorpus(
    config.actors.map(({ subcategories }) => subcategories.length),
    [...config.actors.keys()],
  )
  for (const { docId, tokens, labels, scores } of documents) {
    corpus.add(
      asDocumentId(BigInt(docId)),
      tokens,
      config.actors.map(({ name }) => labels[name]!),
      config.actors.map(({ name }) => scores?.[name] ?? 0),
    )
  }
  return corpus
}

async function run(given: Scenario): Promise<NaiveRound[] | 'normalization'> {
  const config = parseSelectionConfig(given.config)
  const corpus = corpusOf(config, given)
  const byId = new Map(given.documents.map((document) => [document.docId, document]))
  const named = <T>(values: readonly T[]) => Object.fromEntries(config.actors.map(({ name }, a) => [name, values[a]!]))
  let state = initialState(config)
  const rounds: NaiveRound[] = []
  for (const round of [0, ...given.rounds]) {
    if (round > 0) {
      const isJoint = config.collaboration === 'joint'
      const columns = config.actors.map(({ name }, a) => {
        const arrived = given.rewards.filter((reward) => reward.round === round && reward.actor === name)
        const own = rewardColumns(
          arrived.map(
            ({ docId, reward, other }): DocumentReward => ({
              documentId: asDocumentId(BigInt(docId)),
              subcategory: byId.get(docId)!.labels[name]!,
              reward: countedReward(config, reward, other) as number,
              ...(isJoint && { labels: config.actors.map((actor) => byId.get(docId)!.labels[actor.name]!) }),
            }),
          ),
        )
        return isJoint ? { ...own, held: corpus.heldBy(a) } : own
      })
      try {
        state = foldRound(config, round, state, columns)
      } catch (error) {
        expect(error).toBeInstanceOf(WinnowError)
        expect((error as WinnowError).code).toBe('NORMALIZATION')
        return 'normalization'
      }
    }
    const weights = state.actors.map((actor) => actor.weights)
    const selection = await select(corpus, config, round, weights, state.theta)
    const ids: bigint[] = []
    for await (const chunk of selection.ids) ids.push(...chunk)
    corpus.addReads(BigUint64Array.from(ids), 0, ids.length, given.positions[round] ?? ids.length)
    rounds.push({
      round,
      weights: named(weights),
      theta: named(state.theta),
      actorRewards: named(state.actorRewards),
      ...(config.joint?.cells && { residuals: weights.at(-1)! }),
      documents: selection.documents,
      tokens: selection.tokens,
      ids: ids.map(String),
    })
  }
  return rounds
}

describe('the whole of a run equals SELECTION.md read literally', () => {
  test('to the last bit and id, over 400 random runs with every option, ties and edge cases', async () => {
    let normalizations = 0
    let priced = 0
    for (let seed = 0; seed < 400; seed++) {
      const given = scenario(seed)
      const expected = naiveRun(given.config, given.documents, given.rewards, given.rounds, given.positions)
      if (expected === 'normalization') normalizations++
      if (given.config.price !== undefined && given.rewards.length > 0) priced++
      expect(await run(given), `scenario ${seed}`).toEqual(expected)
    }
    expect(priced).toBeGreaterThan(40)
    // Both outcomes must have been met, or the comparison above is an empty one.
    expect(normalizations).toBeGreaterThan(0)
    expect(normalizations).toBeLessThan(200)
  })

  test('with strategies, to the last id, over 400 random runs with every combination of parts', async () => {
    const met = new Set<string>()
    for (let seed = 0; seed < 400; seed++) {
      const given = scenario(seed, { strategies: true })
      const expected = naiveRun(given.config, given.documents, given.rewards, given.rounds, given.positions)
      expect(await run(given), `scenario ${seed}`).toEqual(expected)
      const { score, sampler, mixture } = given.config.strategy!
      met.add(`${score?.kind ?? 'actors'} ${sampler?.kind ?? 'top'} ${mixture === undefined ? 'whole' : 'strata'}`)
    }
    expect(met.size).toBe(12)
  })

  test('with guards, to the last id, over 150 random runs of floors, caps and pins of several actors, of repetitions and of natural shares', async () => {
    const met = new Set<string>()
    for (let seed = 0; seed < 150; seed++) {
      const given = scenario(seed, { guarded: true })
      const { rules = [], repetitions, other } = given.config.guards!
      if (seed % 3 === 0) given.config.strategy = { score: { kind: 'zero' } }
      const expected = naiveRun(given.config, given.documents, given.rewards, given.rounds, given.positions)
      expect(await run(given), `scenario ${seed}`).toEqual(expected)
      const guarded = new Set(rules.map(({ actor }) => actor)).size
      met.add(`${Math.min(guarded, 2)} ${Object.keys(given.config.budget)[0]} ${repetitions === undefined}`)
      met.add(`${Math.min(guarded, 1)} ${Object.keys(given.config.budget)[0]} natural ${other?.share ?? 'none'}`)
    }
    expect(met.size).toBeGreaterThan(30)
  })

  test('samples are the documents with the smallest keys of a subcategory', async () => {
    for (let seed = 0; seed < 100; seed++) {
      const given = scenario(seed)
      const config = parseSelectionConfig(given.config)
      const corpus = corpusOf(config, given)
      for (const [a, { name, subcategories }] of config.actors.entries()) {
        const sampled = await corpus.samples(a, seedOf(config.seed, 3, `sample:${name}`), 5)
        for (const j of subcategories.keys()) {
          const sampleSeed = naiveSeed(config.seed, 3, `sample:${name}`)
          const expected = byKey(
            given.documents.filter(({ labels }) => labels[name] === j),
            sampleSeed,
          )
          expect((sampled.get(j) ?? []).map(String)).toEqual(expected.slice(0, 5).map(({ docId }) => docId))
        }
      }
    }
  })
})
