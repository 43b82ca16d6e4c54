import { describe, expect, test } from 'vitest'
import type { Manifest } from '../../schemas/index.ts'
import { asDocumentId } from '../../schemas/index.ts'
import { type ExplainedDocument, explain } from '../../topologies/explain.ts'
import { parseSelectionConfig } from '../../topologies/selection/config.ts'
import { key } from '../../topologies/selection/draw.ts'
import { seedOf } from '../../topologies/selection/u64.ts'

const config = (more: object = {}) =>
  parseSelectionConfig({
    seed: 7,
    actors: { shape: { subcategories: ['round', 'square'] }, colour: { subcategories: ['red', 'blue'] } },
    budget: { documents: 3 },
    ...more,
  })

/** theta 0.75 and 0.25: [round, red] scores 0.75 * 0.5 + 0.25 * 1 = 0.625, [square, red] 0.25, [round, blue] 0.375, [square, blue] 0. */
const manifest = (more: Partial<Manifest> = {}): Manifest => ({
  run: 'r',
  round: 1,
  step: 10,
  actors: ['shape', 'colour'],
  theta: [0.75, 0.25],
  weights: [
    [0.5, 0],
    [1, 0],
  ],
  actorRewards: [0, 0],
  documents: 3,
  tokens: 30,
  threshold: 0.375,
  marginal: null,
  histogramDigest: '',
  selectionDigest: '',
  selectionRoot: null,
  labelOffsets: [],
  chunkDocuments: 8192,
  chunkOffsetFirst: 0,
  parts: [],
  strata: null,
  ...more,
})

const document = (labels: number[], more: Partial<ExplainedDocument> = {}): ExplainedDocument => ({
  docId: asDocumentId(1n),
  labels,
  reads: 0,
  tookPart: true,
  tokens: 10,
  scores: labels.map(() => 0),
  ...more,
})

describe('why a document was or was not selected', () => {
  test('above the threshold it is selected, with each actor’s contribution', () => {
    expect(explain(config(), manifest(), document([0, 0]))).toEqual({
      round: 1,
      verdict: 'selected',
      score: 0.625,
      threshold: 0.375,
      contributions: [
        { actor: 'shape', subcategory: 'round', theta: 0.75, weight: 0.5 },
        { actor: 'colour', subcategory: 'red', theta: 0.25, weight: 1 },
      ],
      flip: 'a score lower by more than 0.2500',
    })
  })

  test('at a threshold that the budget does not cut, it is selected', () => {
    expect(explain(config(), manifest(), document([0, 1]))).toMatchObject({ verdict: 'selected', score: 0.375 })
  })

  test('below the threshold, the explanation names the weight of the strongest actor that would lift it there', () => {
    // 0.125 is missing; with theta 0.75 that is 0.1667 of shape's weight.
    expect(explain(config(), manifest(), document([1, 0]))).toMatchObject({
      verdict: 'below the threshold',
      score: 0.25,
      flip: 'a weighted sum higher by 0.1250: for example a weight of 0.1667 instead of 0.000 for shape square',
    })
  })

  test('with a decay by reads, the missing amount refers to the sum before the decay', () => {
    // 0.625 / (1 + 0.5 * 2) = 0.3125; missing (0.375 - 0.3125) * 2 = 0.125.
    expect(explain(config({ repetitionDecay: 0.5 }), manifest(), document([0, 0], { reads: 2 }))).toMatchObject({
      verdict: 'below the threshold',
      score: 0.3125,
      flip: 'a weighted sum higher by 0.1250: for example a weight of 0.6667 instead of 0.5000 for shape round',
    })
  })

  test('among equal scores that the budget cuts, the key decides', () => {
    const keys = [1n, 2n, 3n].map((docId) => ({ docId, k: key(asDocumentId(docId), seedOf('7', 1, 'select')) }))
    keys.sort((a, b) => (a.k < b.k ? -1 : 1))
    const cut = manifest({ marginal: { score: 0.375, documents: 3, taken: 2, keyLast: keys[1]!.k } })
    const verdicts = keys.map(({ docId }) => explain(config(), cut, document([0, 1], { docId: asDocumentId(docId) })))
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['selected', 'selected', 'lost the draw among equals'])
    expect(verdicts[2]!.flip).toContain('only 2 of 3')
    // Those above the marginal score are not drawn for.
    expect(explain(config(), cut, document([0, 0], { docId: asDocumentId(keys[2]!.docId) })).verdict).toBe('selected')
  })

  test('a document that the round could not see yet is “not there yet”, whatever its score', () => {
    const explanation = explain(config(), manifest(), document([0, 0], { tookPart: false }))
    expect(explanation).toMatchObject({ verdict: 'not there yet', score: 0.625 })
  })

  test('a document that a list excludes says which', () => {
    const lists = ['eval-set/birds', 'erasure/request-7']
    const { verdict, flip } = explain(config(), manifest(), document([0, 0], { tookPart: false, excludedBy: lists }))
    expect([verdict, flip]).toEqual([
      'excluded',
      'being taken off eval-set/birds and erasure/request-7 before the round opened',
    ])
  })

  test('having been read counts against it only if the run excludes repeats', () => {
    const read = document([0, 0], { reads: 1 })
    expect(explain(config({ repeat: 'exclude' }), manifest(), read).verdict).toBe('already read')
    expect(explain(config(), manifest(), read).verdict).toBe('selected')
  })

  test('if nothing was selected, nothing passes', () => {
    const nothing = manifest({ threshold: null, documents: 0 })
    expect(explain(config(), nothing, document([0, 0]))).toMatchObject({
      verdict: 'below the threshold',
      threshold: null,
      flip: 'nothing was selected in this round',
    })
  })

  test('contributions are those that count under the collaboration, so they add up to the score', () => {
    const thetas = (more: object, round = 1) => {
      const { contributions, score } = explain(config(more), manifest({ round }), document([0, 0]))
      expect(contributions.reduce((sum, { theta, weight }) => sum + theta * weight, 0)).toBe(score)
      return contributions.map(({ theta }) => theta)
    }
    expect(thetas({})).toEqual([0.75, 0.25])
    expect(thetas({ collaboration: 'competitive' })).toEqual([0.75, 0])
    expect(thetas({ collaboration: 'single:colour' })).toEqual([0, 1])
    expect(thetas({ firstSelection: 'random' }, 0)).toEqual([0, 0])
    expect(thetas({ firstSelection: 'weights' }, 0)).toEqual([0.75, 0.25])
  })

  test('the residual of a joint fit is a contribution of its own', () => {
    const joint = config({ collaboration: 'joint', joint: { cells: {} } })
    const weights = [...manifest().weights, [0.5, -0.25, 0, 0.125]]
    const { score, contributions } = explain(joint, manifest({ weights }), document([0, 1]))
    expect(score).toBe(0.5 + 0 - 0.25)
    expect(contributions.at(-1)).toEqual({ actor: 'residual', subcategory: 'of the cell', theta: 1, weight: -0.25 })
    expect(contributions.reduce((sum, { theta, weight }) => sum + theta * weight, 0)).toBe(score)
  })

  test('an actor that does not count is not offered as a way to be selected', () => {
    const alone = config({ collaboration: 'single:colour' })
    expect(explain(alone, manifest({ threshold: 0.5 }), document([0, 1])).flip).toBe(
      'a weighted sum higher by 0.5000: for example a weight of 0.5000 instead of 0.000 for colour blue',
    )
  })
})
