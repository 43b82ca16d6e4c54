import { expect, test } from 'vitest'
import { nearest } from '../../../services/terminal/nearest.ts'

const names = ['multi-actor-7', 'random-7', 'winnow.documents', 'winnow.labels.topic']

test.each([
  ['multi-actor-8', 'Did you mean multi-actor-7?'],
  ['mutli-actor-7', 'Did you mean multi-actor-7?'],
  ['RANDOM-7', 'Did you mean random-7?'],
  ['random', 'Did you mean random-7?'],
  ['document', undefined],
  ['documents', 'Did you mean winnow.documents?'],
  ['nope', undefined],
  ['radnom-7', 'Did you mean random-7?'],
  ['', undefined],
])('%j: %s', (given, said) => {
  expect(nearest(given, names)).toBe(said)
})
