import { expect, test } from 'vitest'
import { textFieldOf } from '../../../services/ingest/text-field.ts'
import { MemoryKafka, text } from './memory-kafka.ts'
import { folder, run } from './support.ts'

const textFields = { 'a.jsonl': 'first', 'rpv2/*.gz': 'raw_content', 'rp*/*v2*.gz': 'deep', '*': 'body' }

test.each([
  ['a.jsonl', 'first'],
  ['rpv2/x/y.jsonl.gz', 'raw_content'],
  ['rpv1/xv2y.gz', 'deep'],
  ['rpv1/v2.gz', 'deep'],
  ['b/a.jsonl', 'body'],
  ['rpv2/.gzip', 'body'],
])('the field of %s is %s: the first pattern that fits the whole name', (source, field) => {
  expect(textFieldOf(source, { textFields })).toBe(field)
})

test('parts of a pattern do not share characters, and characters of expressions are themselves', () => {
  expect(textFieldOf('aba', { textFields: { 'ab*ba': 'x' } })).toBe('text')
  expect(textFieldOf('axjsonl', { textFields: { 'a.jsonl': 'x' } })).toBe('text')
  expect(textFieldOf('a(b)+.jsonl', { textFields: { 'a(b)+.*': 'x' } })).toBe('x')
  expect(textFieldOf('', { textFields: { '*': 'x' } })).toBe('x')
})

test('a field for the command comes before one for the source, that before one for all', () => {
  const fields = { textFields: { a: 'of-source' }, textFieldDefault: 'of-all' }
  expect(textFieldOf('a', { textField: 'of-command', ...fields })).toBe('of-command')
  expect(textFieldOf('a', fields)).toBe('of-source')
  expect(textFieldOf('b', fields)).toBe('of-all')
  expect(textFieldOf('b', {})).toBe('text')
})

test('one ingest reads sources of different layouts, each by its field', async () => {
  const kafka = new MemoryKafka()
  const path = folder({
    'a.jsonl': '{"text":"plain"}\n',
    'rp/b.jsonl': '{"raw_content":"raw","url":"u"}\n',
    'git/c.jsonl': '{"data":{"body":"deep"}}\n',
  })
  const options = { textFields: { 'rp/*': 'raw_content', 'git/*': 'data.body' } }
  expect(await run(kafka, [path], options)).toMatchObject({ documents: 3, rejected: 0, failed: 0 })
  expect(text(kafka).sort()).toEqual(['deep', 'plain', 'raw'])
  expect(kafka.sources.get('rp/b.jsonl')).toMatchObject({ textField: 'raw_content' })
  // Known by its field: the same again is nothing new, another field is.
  expect(await run(kafka, [path], options)).toMatchObject({ skipped: 3, failed: 0 })
  const other = await run(kafka, [path], { textFields: { 'git/*': 'data.body' } })
  expect(other.sources.map(({ outcome }) => outcome).sort()).toEqual(['already', 'already', 'other-content'])
})
