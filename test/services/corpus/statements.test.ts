import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const filesOf = (pattern: string) => globSync(pattern, { cwd: root })

const tables = filesOf('schemas/clickhouse/*.sql')
  .flatMap((file) => [...read(file).matchAll(/^CREATE TABLE IF NOT EXISTS (\w+)/gm)])
  .map(([, table]) => table!)
const named = tables.join('|')
const touches = new RegExp(
  `\\b(?:FROM|JOIN|INTO|TABLE|UPDATE)\\s+(?:IF (?:NOT )?EXISTS )?(?:${named})\\b|\\binsert(?:Binary)?\\(\\s*['"\`](?:${named})\\b`,
  'g',
)

test('only services/corpus reads and writes the corpus tables', () => {
  expect(tables).toEqual(expect.arrayContaining(['documents', 'corpus', 'sink_offsets', 'reads']))
  const found = filesOf('{topologies,services,deploy}/**/*.{ts,mjs,js,py}')
    .map((file) => ({ file, statements: read(file).match(touches) ?? [] }))
    .filter(({ statements }) => statements.length > 0)
  expect(found.length).toBeGreaterThan(3)
  // Trainers in Python read texts themselves, what encrypted ones are read by, and what is erased; nothing else.
  expect(found.filter(({ file }) => !file.startsWith('services/corpus/'))).toHaveLength(2)
  const statementsOf = (file: string) => found.find((one) => one.file === file)?.statements
  expect(statementsOf('services/trainer/python/winnow_trainer/texts.py')).toEqual(['FROM documents'])
  expect(statementsOf('services/runtime/python/winnow_wire/texts.py')).toEqual([
    'FROM exclusions',
    'FROM sink_offsets',
    'FROM documents',
    'FROM text_keys',
  ])
})
