import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { fittingTable, table } from '../../../services/terminal/table.ts'

const columns = [{ title: 'run' }, { title: 'step', number: true }, { title: 'what would have turned it' }]
const rows = [
  ['multi-actor-7', '1050', 'a label of Literature and Art for actor topic, or a threshold below 0.312'],
  ['control-7', '5', 'nothing: every document of this cell was taken'],
]

test.each([120, 80, 60, 50])('a wide table is fitted into %i columns without losing a word', (width) => {
  const text = table(columns, rows, { width })
  for (const line of text.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(width)
  for (const word of rows.flat().flatMap((cell) => cell.split(' ')))
    expect(text.replaceAll(/[\s─]/g, '')).toContain(word.slice(0, 8))
  expect(text).toMatch(/^multi-a/m)
})

test('without a width no cell is wrapped', () => {
  expect(table(columns, rows).split('\n')).toHaveLength(4)
})

test('numbers are never wrapped, and double-width characters count twice', () => {
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

test('a table aligns numbers to the right and has no trailing spaces', () => {
  const columns = [{ title: 'run' }, { title: 'step', number: true }, { title: 'note' }]
  expect(
    table(columns, [
      ['a', '5', ''],
      ['long one', '1050', 'x'],
    ]),
  ).toBe(['run       step  note', '────────  ────  ────', 'a            5', 'long one  1050  x'].join('\n'))
})

test('a column marked whole is never wrapped: its neighbours give way', () => {
  const columns = [{ title: 'key', whole: true }, { title: 'value' }]
  const key = 'actors.quality.labeler.subcategories'
  const lines = table(columns, [[key, 'one, two, three, four, five, six']], { width: 50 }).split('\n')
  expect(lines[2]).toBe(`${key}  one, two,`)
  expect(lines.slice(3).every((line) => line.startsWith(' '))).toBe(true)
})

test('if there is no room, the least important columns are dropped before any cell is wrapped', () => {
  const columns = [{ title: 'run' }, { title: 'recorded' }, { title: 'loss', number: true }]
  const rows = [['multi-actor-7', '2026-01-01 12:00', '5.1234']]
  const head = (width?: number) => fittingTable(columns, rows, ['recorded', 'loss'], width).split('\n')[0]!.split(/ +/)
  expect(head()).toEqual(['run', 'recorded', 'loss'])
  expect(head(30)).toEqual(['run', 'loss'])
  expect(head(14)).toEqual(['run'])
})
