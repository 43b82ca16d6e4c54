import { expect, test } from 'vitest'
import {
  mappedMemory,
  mappingInWords,
  mapsFrom,
  subcategoryMapping,
  type WantedSubcategories,
} from '../../../topologies/rounds/subcategories.ts'

const before = ['a', 'b', 'c', 'd']
const documents = (name: string) => ({ a: 1, b: 3, c: 0 })[name] ?? 0
const wanted = (given: Partial<WantedSubcategories>): WantedSubcategories => ({
  ...{ split: [], merged: [], retired: [] },
  ...given,
})
const mapped = (after: readonly string[], given: Partial<WantedSubcategories>) =>
  subcategoryMapping(before, after, wanted(given), documents)
const memory = {
  weights: [0.1, 0.7, 0.3, -0.2],
  rewards: [1, null, 0.5, 2],
  counts: [4, 0, 5, 6],
  everRewarded: [true, false, true, false],
}

test('each subcategory has the weight of what it goes on from, to the bit, the mean of those merged, or the initial one', () => {
  const mapping = mapped(['ab', 'd', 'c1', 'c2', 'e'], {
    split: [{ to: ['c1', 'c2'], from: 'c' }],
    merged: [{ from: ['a', 'b'], to: 'ab' }],
  })
  if (!('origins' in mapping)) throw new Error('refused')
  expect(mapsFrom(mapping, before, ['ab', 'd', 'c1', 'c2', 'e'])).toBe(true)
  const initialWeights = [9, 9, 9, 9, 0.25]
  expect(mappedMemory(memory, { before, mapping, initialWeights })).toEqual({
    weights: [(1 * 0.1 + 3 * 0.7) / 4, -0.2, 0.3, 0.3, 0.25],
    rewards: [null, 2, 0.5, 0.5, null],
    counts: [0, 6, 5, 5, 0],
    everRewarded: [true, false, true, true, false],
  })
  expect(mappingInWords(mapping)).toBe('c becomes c1, c2; a, b become ab; new e')
})

test('subcategories without documents that are merged have their plain mean', () => {
  const mapping = mapped(['a', 'b', 'x'], { merged: [{ from: ['c', 'd'], to: 'x' }] })
  if (!('origins' in mapping)) throw new Error('refused')
  const { weights } = mappedMemory(memory, { before, mapping, initialWeights: [] })
  expect(weights).toEqual([0.1, 0.7, (0.3 + -0.2) / 2])
})

test('a subcategory may stay while another one is split from it, and order does not matter to those that stay', () => {
  const mapping = mapped(['d', 'c', 'b', 'a', 'a2'], { split: [{ to: ['a2'], from: 'a' }] })
  if (!('origins' in mapping)) throw new Error('refused')
  const { weights } = mappedMemory(memory, { before, mapping, initialWeights: [] })
  expect(weights).toEqual([-0.2, 0.3, 0.7, 0.1, 0.1])
  expect(mappingInWords(mapping)).toBe('a becomes a, a2')
})

test.each<[string, readonly string[], Partial<WantedSubcategories>, string]>([
  ['is gone without a word', ['a', 'b'], { retired: ['c'] }, 'the new labels have no d'],
  ['stays and is retired', ['a', 'b', 'c', 'd'], { retired: ['d'] }, 'd cannot be retired: it is one of the new'],
  ['is split into what is not there', ['b', 'c', 'd'], { split: [{ to: ['x'], from: 'a' }] }, 'x is none of the new'],
  ['is split and never was', [...before, 'x'], { split: [{ to: ['x'], from: 'y' }] }, 'y is none of the subcategories'],
  ['is merged and stays', [...before, 'x'], { merged: [{ from: ['a', 'b'], to: 'x' }] }, 'a cannot be merged into x'],
  [
    ...(['is split and retired', ['x', 'b', 'c', 'd']] as const),
    { split: [{ to: ['x'], from: 'a' }], retired: ['a'] },
    'a cannot be retired: another one goes on from it',
  ],
  [
    ...(['is named twice', ['x', 'c', 'd']] as const),
    {
      split: [
        { to: ['x'], from: 'a' },
        { to: ['x'], from: 'b' },
      ],
    },
    'x is named twice',
  ],
])('a subcategory that %s is refused', (_, after, given, why) => {
  const refused = mapped(after, given)
  expect('problems' in refused && refused.problems.join('; ')).toContain(why)
})

test('a mapping fits the subcategories that it was made for, and no others', () => {
  const mapping = mapped(['a', 'b', 'c'], { retired: ['d'] })
  if (!('origins' in mapping)) throw new Error('refused')
  expect(mapsFrom(mapping, before, ['a', 'b', 'c'])).toBe(true)
  expect(mapsFrom(mapping, ['d', 'c', 'b', 'a'], ['a', 'b', 'c'])).toBe(true)
  expect(mapsFrom(mapping, ['a', 'b', 'c'], ['a', 'b', 'c'])).toBe(false)
  expect(mapsFrom(mapping, [...before, 'e'], ['a', 'b', 'c'])).toBe(false)
  expect(mapsFrom(mapping, before, ['c', 'b', 'a'])).toBe(false)
})
