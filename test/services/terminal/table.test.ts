import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { fittingTable, table } from '../../../services/terminal/table.ts'

const columns = [{ title: 'run' }, { title: 'step', number: true }, { title: 'what would have turned it' }]
const rows = [
  ['multi-actor-7', '1050', 'a label of Literature and Art for actor topic, or a threshold below 0.312'],
  ['control-7', '5', 'nothing: every document of this cell was taken'],
]

test.each([120, 80, 60, 50])('a table of more fits %i columns, and not a word is lost', (width) => {
  const text = table(columns, rows, { width })
  for (const line of text.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(width)
  for (const word of rows.flat().flatMap((cell) => cell.split(' ')))
    expect(text.replaceAll(/[\s─]/g, '')).toContain(word.slice(0, 8))
  expect(text).toMatch(/^multi-a/m)
})

test('without a width no cell is broken', () => {
  expect(table(columns, rows).split('\n')).toHaveLength(4)
})

test('numbers are never broken, and characters of double width count twice', () => {
  const text = table([{ title: 'n', number: true }, { title: 'text' }], [['123456789012', '漢字漢字漢字漢字']], {
    width: 22,
  })
  expect(text.split('\n')).toEqual([
    '           n  text',
    '────────────  ────────',
    '123456789012  漢字漢字',
    '              漢字漢字',
  ])
})

test('a table has its numbers to the right and no spaces at the ends of its lines', () => {
  const columns = [{ title: 'run' }, { title: 'step', number: true }, { title: 'note' }]
  expect(
    table(columns, [
      ['a', '5', ''],
      ['long one', '1050', 'x'],
    ]),
  ).toBe(['run       step  note', '────────  ────  ────', 'a            5', 'long one  1050  x'].join('\n'))
})

test('a column that is whole is never broken: those beside it give way', () => {
  const columns = [{ title: 'key', whole: true }, { title: 'value' }]
  const key = 'actors.quality.labeler.subcategories'
  const lines = table(columns, [[key, 'one, two, three, four, five, six']], { width: 50 }).split('\n')
  expect(lines[2]).toBe(`${key}  one, two,`)
  expect(lines.slice(3).every((line) => line.startsWith(' '))).toBe(true)
})

test('columns that matter least go first where there is no room, before any cell is broken', () => {
  const columns = [{ title: 'run' }, { title: 'recorded' }, { title: 'loss', number: true }]
  const rows = [['multi-actor-7', '2026-01-01 12:00', '5.1234']]
  const head = (width?: number) => fittingTable(columns, rows, ['recorded', 'loss'], width).split('\n')[0]!.split(/ +/)
  expect(head()).toEqual(['run', 'recorded', 'loss'])
  expect(head(30)).toEqual(['run', 'loss'])
  expect(head(14)).toEqual(['run'])
})
