import { expect, test } from 'vitest'
import { passageOf } from '../../../services/corpus/passages.ts'

test('a passage is whole words from the middle of a text, at most 600 characters, and never the whole text', () => {
  const words = Array.from({ length: 400 }, (_, n) => `word${n}`)
  const passage = passageOf(words.join(' '))!
  expect(passage.length).toBeGreaterThan(400)
  expect(passage.length).toBeLessThanOrEqual(600)
  for (const word of passage.split(' ')) expect(words).toContain(word)
  expect(words.join(' ')).toContain(passage)
})

test.each(['', 'short', 'x'.repeat(5000), 'two words that are few'])('%j has no middle', (text) => {
  expect(passageOf(text)).toBeUndefined()
})
