import { expect, test } from 'vitest'
import { snippetOf } from '../../../services/corpus/snippet.ts'

const excerpt = (text: string, before = false, after = false) => snippetOf({ text, before, after })

test('a snippet is cut between words, with an ellipsis where something is left out', () => {
  expect(excerpt('Call me Ishmael.')).toBe('Call me Ishmael.')
  expect(excerpt('ome years ago, never mind how lo', true, true)).toBe('… years ago, never mind how …')
  expect(excerpt('Some years\n\n  ago  ', false, true)).toBe('Some years ago …')
})

test('an overlong word is shown up to the limit', () => {
  const long = 'x'.repeat(300)
  expect(excerpt(long, true, true)).toBe(`… ${long} …`)
  expect(excerpt('字'.repeat(100), false, true)).toBe(`${'字'.repeat(100)} …`)
})
