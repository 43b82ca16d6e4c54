import { expect, test } from 'vitest'
import { losingMore, lossesOf, type SourceCrowd } from '../../../topologies/duplicates/losses.ts'

const crowd = (source: number, documents: number, lostDocuments: number): SourceCrowd => ({
  ...{ source, documents, tokens: documents * 10, lostDocuments, lostTokens: lostDocuments * 10 },
})
const told = (...crowds: SourceCrowd[]) => losingMore(lossesOf(crowds)).map(({ source }) => source)

test('a source that loses more than twice its share is told, and what it loses beside its share', () => {
  const [first, ...others] = lossesOf([crowd(1, 900, 10), crowd(2, 100, 90)])
  expect(first).toEqual({
    ...{ source: 2, documents: 100, tokens: 1000, lostDocuments: 90, lostTokens: 900 },
    ...{ share: 0.1, lostShare: 0.9, ratio: 9, counts: true },
  })
  expect(others.map(({ source, counts }) => [source, counts])).toEqual([[1, false]])
  expect(told(crowd(1, 900, 10), crowd(2, 100, 90))).toEqual([2])
  expect(losingMore(lossesOf([crowd(1, 900, 10), crowd(2, 100, 90)]), 9)).toEqual([])
})

test('a source that loses its share is not, however much that is, nor is one of which the loss is chance or next to nothing', () => {
  expect(told(crowd(1, 900, 450), crowd(2, 100, 50))).toEqual([])
  // Three times its share, but of nineteen documents.
  expect(told(crowd(1, 900, 24), crowd(2, 60, 19))).toEqual([])
  // Twenty-five, where five were to be expected, are told; twenty-five where twelve were, are not.
  expect(told(crowd(1, 950, 75), crowd(2, 50, 25))).toEqual([2])
  expect(told(crowd(1, 880, 75), crowd(2, 120, 25))).toEqual([])
  // Ten times its share is next to nothing of it.
  expect(told(crowd(1, 990_000, 10), crowd(2, 10_000, 400))).toEqual([])
})

test('without documents or losses nobody is told', () => {
  expect(lossesOf([])).toEqual([])
  expect(lossesOf([crowd(1, 10, 0)])).toMatchObject([{ share: 1, lostShare: 0, ratio: 0, counts: false }])
})
