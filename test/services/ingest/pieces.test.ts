import fc from 'fast-check'
import { expect, test } from 'vitest'
import { piecesOf } from '../../../services/ingest/pieces.ts'

test('the pieces add up to the text, none is longer than the limit, and all but the last have at least half of it', () => {
  const text = fc.array(fc.oneof(fc.constantFrom('\n\n', '\n', '. ', ' ', '。'), fc.string({ unit: 'grapheme' })))
  fc.assert(
    fc.property(text, fc.integer({ min: 40, max: 100 }), (parts, bytesMax) => {
      const whole = parts.join('').toWellFormed()
      const pieces = piecesOf(whole, bytesMax)
      expect(pieces.join('')).toBe(whole)
      const lengths = pieces.map((piece) => Buffer.byteLength(piece))
      expect(Math.max(...lengths)).toBeLessThanOrEqual(bytesMax)
      expect(lengths.slice(0, -1).every((length) => length >= bytesMax / 2 - 3)).toBe(true)
    }),
  )
})

test.each([
  ['behind a paragraph', 'One line.\n\nTwo of it.\nIt ends. Here', ['One line.\n\n', 'Two of it.\n', 'It ends. Here']],
  ['behind a line, where no paragraph ends', 'One line.\nTwo. three four', ['One line.\n', 'Two. three four']],
  ['behind a sentence of Chinese', '这座城市。位于河流的北岸', ['这座城市。', '位于河流的北', '岸']],
  ['never within a character', '😀😀😀😀😀😀', ['😀😀😀😀😀', '😀']],
])('a text is cut %s', (_, text, pieces) => {
  expect(piecesOf(text, 20)).toEqual(pieces)
})

test('a short text is one piece', () => {
  expect(piecesOf('short', 20)).toEqual(['short'])
})
