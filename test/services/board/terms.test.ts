import { expect, test } from 'vitest'
import { termsOf } from '../../../services/board/terms.ts'

test('a query is split into words, with quoted phrases kept together and repeats dropped', () => {
  expect(termsOf('whale harpoon')).toEqual(['whale', 'harpoon'])
  expect(termsOf('  "white whale"  Ahab whale Ahab ')).toEqual(['white whale', 'Ahab', 'whale'])
  expect(termsOf('it"s 5" wide')).toEqual(['it"s', '5"', 'wide'])
  expect(termsOf('""')).toEqual(['""'])
  expect(termsOf('   ')).toEqual([])
})
