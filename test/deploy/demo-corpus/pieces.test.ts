import { expect, test } from 'vitest'
import { drawn, piecesOf } from '../../../deploy/demo/corpus/pieces.ts'
import type { Work } from '../../../deploy/demo/corpus/work.ts'

const work = (paragraphs: string[], source: Work['source'] = 'Prose'): Work => ({
  source,
  title: 'a work',
  path: 'package/file',
  paragraphs,
})
const texts = (of: Work, size: Parameters<typeof piecesOf>[1]) => piecesOf(of, size).map(({ text }) => text)

test('a piece ends with the paragraph that reaches its target', () => {
  const size = { charactersMin: 3, charactersMax: 100, target: [8, 8] } as const
  expect(texts(work(['aaaa', 'bbbb', 'cccc', 'dddddddd', 'eee']), size)).toEqual([
    'aaaa\n\nbbbb',
    'cccc\n\ndddddddd',
    'eee',
  ])
})

test('a short remainder joins the piece before it, unless that would become too long', () => {
  const size = { charactersMin: 3, charactersMax: 12, target: [8, 8] } as const
  expect(texts(work(['aaaaaaaa', 'b']), size)).toEqual(['aaaaaaaa\n\nb'])
  expect(texts(work(['aaaaaaaaaaa', 'b']), size)).toEqual(['aaaaaaaaaaa'])
})

test('a paragraph that is too long is cut at lines, then at sentences', () => {
  const size = { charactersMin: 1, charactersMax: 20, target: [20, 20] } as const
  expect(texts(work(['one line\nanother line\nlast']), size)).toEqual(['one line', 'another line\nlast'])
  expect(texts(work(['One sentence. Another one.']), size)).toEqual(['One sentence.', 'Another one.'])
})

test('a speech becomes one paragraph', () => {
  const size = { charactersMin: 1, charactersMax: 100, target: [50, 50] } as const
  expect(texts(work(['We are.', 'We will be.'], 'Speeches'), size)).toEqual(['We are. We will be.'])
})

test('the draw depends on the text alone and is uniform', () => {
  expect(drawn('a')).toBe(drawn('a'))
  const low = Array.from({ length: 1000 }, (_, index) => drawn(`work ${index}`)).filter((value) => value < 0.25).length
  expect(Math.abs(low - 250)).toBeLessThan(50)
})
