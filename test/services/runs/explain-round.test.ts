import { beforeAll, describe, expect, test } from 'vitest'
import type { Manifest } from '../../../schemas/index.ts'
import { asDocumentId } from '../../../schemas/index.ts'
import { explainRound } from '../../../services/runs/explain-round.ts'
import { readRecordedRun } from '../../../services/runs/recorded.ts'
import { RoundLedgers } from '../../../services/runs/replay/folded.ts'
import { type ExplainedDocument, explain } from '../../../topologies/explain.ts'
import { flipsOf, weightSources } from '../../../topologies/explain-weights.ts'
import { initialState } from '../../../topologies/selection/console.ts'
import { foldActor } from '../../../topologies/selection/fold.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'

const run = parityRun('r', { budget: { documents: 12 } })
let runtime: MemoryRuntime
let manifests: Manifest[]

/** Documents of odd ids are worth 1 and a hundredth of their id, the others -1. */
beforeAll(async () => {
  runtime = await memoryRuntime()
  await fillByParity(runtime.store, 40)
  const rewardOf = (text: string) => (Number(text.split(' ')[1]) % 2 === 0 ? -1 : 1 + Number(text.split(' ')[1]) / 100)
  manifests = await recordRun(runtime, run, rewardOf)
})

const documentOf = (label: number): ExplainedDocument => ({
  ...{ docId: asDocumentId(BigInt(label)), labels: [label], reads: 0, tookPart: true, tokens: 10, scores: [0] },
})
async function explained(label: number, round: number) {
  const document = documentOf(label)
  const explanation = explain(run.selection, manifests[round]!, document)
  return { explanation, ...(await explainRound(runtime, run, document, explanation)) }
}

describe('the rewards behind a weight', () => {
  test('are those of the log: their number, mean, spread and offsets', async () => {
    const log = await readRecordedRun(runtime, 'r')
    await using ledgers = new RoundLedgers(runtime, run, log)
    for (const round of [1, 2]) {
      const { rewardOffsets } = log.closed.find((one) => one.round === round)!
      for (const label of [0, 1]) {
        const answers = (await ledgers.at(round))!
          .answers('parity', rewardOffsets)
          .filter((one) => one.subcategory === label)
        const values = answers.map(({ reward }) => reward)
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length
        const [source] = (await explained(label, round)).sources
        expect(source).toMatchObject({ actor: 'parity', subcategory: ['even', 'odd'][label], eta: 0.5 })
        expect(source!.rewards).toMatchObject({ count: 4, mean, least: Math.min(...values), most: Math.max(...values) })
        const byPartition = [...Map.groupBy(answers, ({ partition }) => partition)].sort(([p], [q]) => p - q)
        const stretches = byPartition.map(([partition, of]) => {
          const offsets = of.map(({ offset }) => offset)
          return { partition, first: Math.min(...offsets), last: Math.max(...offsets) }
        })
        expect(source!.rewards.offsets).toEqual(stretches)
        expect(source!.before).toBe(round === 1 ? 0.5 : manifests[1]!.weights[0]![label])
        // Eq. 5, by what is said alone.
        expect(source!.weight).toBeCloseTo(0.5 * source!.before + 0.5 * mean, 12)
      }
    }
  })

  test('of round 0 are none: the weight is the initial one', async () => {
    expect((await explained(1, 0)).sources).toMatchObject([
      { before: 0.5, weight: 0.5, rewards: { count: 0, mean: null, offsets: [] } },
    ])
  })
})

describe('what would have turned a verdict', () => {
  test('is the other label, a weight beyond the threshold, or one reward by so much', async () => {
    const { explanation, sources, flips } = await explained(0, 1)
    expect(explanation.verdict).toBe('below the threshold')
    const threshold = explanation.threshold!
    const theta = sources[0]!.theta
    expect(flips.weights[0]!.weight * theta).toBeCloseTo(threshold, 12)
    // The fold with one reward changed by that much lifts the weight to it.
    const log = await readRecordedRun(runtime, 'r')
    await using ledgers = new RoundLedgers(runtime, run, log)
    const [columns] = (await ledgers.at(1))!.accepted(
      ['parity'],
      log.closed.find(({ round }) => round === 1)!.rewardOffsets,
    )
    const at = columns!.subcategories.indexOf(0)
    const rewards = columns!.rewards.with(at, columns!.rewards[at]! + flips.rewards[0]!.by)
    const [actor] = run.selection.actors
    const { actors } = initialState(run.selection)
    const { weights } = foldActor(run.selection, actor!, 1, actors[0]!, columns!.subcategories, rewards)
    expect(weights[0]).toBeCloseTo(flips.weights[0]!.weight, 12)
  })

  test('of a selected document is a label that is not selected; at the threshold no other label is', async () => {
    const low = { ...manifests[1]!, threshold: manifests[1]!.weights[0]![1]! * manifests[1]!.theta[0]! - 0.01 }
    const document = documentOf(1)
    const explanation = explain(run.selection, low, document)
    expect(explanation.verdict).toBe('selected')
    const { flips } = await explainRound(runtime, run, document, explanation)
    expect(flips.labels).toEqual([{ actor: 'parity', subcategories: ['even'] }])
  })

  test('begins with the smallest change of a weight and of a reward, and names no reward where one moves several weights', () => {
    const { selection } = parityRun(
      'two',
      {
        actors: {
          parity: { subcategories: ['even', 'odd'], eta: 0.5, initialTheta: 0.2 },
          other: { subcategories: ['a', 'b'], eta: 0.5, initialTheta: 0.8 },
        },
      },
      { labelers: { parity: 'v1', other: 'v1' } },
    )
    const manifest = {
      ...manifests[1]!,
      actors: ['parity', 'other'],
      theta: [0.2, 0.8],
      weights: [
        [0, 1],
        [0, 1],
      ],
      threshold: 0.4,
    }
    const document = { ...documentOf(0), labels: [0, 0], scores: [0, 0] }
    const answers = [2, 6].map((count) =>
      Array.from({ length: count }, (_, i) => ({
        docId: asDocumentId(BigInt(i)),
        subcategory: 0,
        reward: 0,
        partition: 0,
        offset: i,
      })),
    )
    const sources = weightSources(selection, manifest, document, [undefined, undefined], answers)
    const flips = flipsOf(selection, manifest, document, { verdict: 'below the threshold' }, sources)
    expect(flips.weights).toEqual([
      { actor: 'other', weight: 0.5, by: 0.5 },
      { actor: 'parity', weight: 2, by: 2 },
    ])
    expect(flips.rewards).toEqual([
      { actor: 'other', by: 6 },
      { actor: 'parity', by: 8 },
    ])
    const normalized = { ...selection, normalize: 'sum' as const }
    expect(flipsOf(normalized, manifest, document, { verdict: 'below the threshold' }, sources).rewards).toEqual([])
  })

  test('of one that was not there is nothing of these', async () => {
    const document = { ...documentOf(0), tookPart: false }
    const explanation = explain(run.selection, manifests[1]!, document)
    expect((await explainRound(runtime, run, document, explanation)).flips).toEqual({
      labels: [],
      weights: [],
      rewards: [],
    })
  })
})
