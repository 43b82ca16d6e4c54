import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { MemoryKafka, text } from './memory-kafka.ts'
import { parquetOf } from './parquet/support.ts'
import { folder, row, run } from './support.ts'

test('all sources whose content changed are reported, and the others are ingested', async () => {
  const kafka = new MemoryKafka()
  const path = folder({ 'a.jsonl': row('a'), 'b.jsonl': row('b'), 'c.jsonl': row('c') })
  await run(kafka, [path])
  writeFileSync(join(path, 'a.jsonl'), row('other a'))
  writeFileSync(join(path, 'c.jsonl'), row('other c'))
  appendFileSync(join(path, 'b.jsonl'), row('more'))
  const result = await run(kafka, [path])
  expect(result.sources.map(({ outcome }) => outcome)).toEqual(['other-content', 'ingested', 'other-content'])
  expect(text(kafka)).toEqual(['a', 'b', 'c', 'more'])
})

describe('a source that yielded no document', () => {
  const bad: [string, string | Buffer, string | Buffer][] = [
    ['a page in place of the file, as rows', 'Not Found\n', row('good')],
    ['texts under another name', '{"content":"x"}\n', row('good')],
    ['a file that was cut off in its first row', gzipSync(row('good')).subarray(0, 15), gzipSync(row('good'))],
    ['an empty file', '', row('good')],
    ['a longer bad file', `${'bad\n'.repeat(2500)}`, row('good')],
  ]
  test.each(bad)('is replaced under its name and number: %s', async (_case, before, after) => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': row('a'), 'b.jsonl': before })
    await run(kafka, [path])
    writeFileSync(join(path, 'b.jsonl'), after)
    expect(await run(kafka, [path])).toMatchObject({ documents: 1, failed: 0 })
    expect(kafka.documents.map(({ docId, text }) => [docId, text])).toEqual([
      [0n, 'a'],
      [1n << 40n, 'good'],
    ])
    expect(kafka.sources.get('b.jsonl')).toMatchObject({ source: 1, documents: 1, complete: true })
    expect(await run(kafka, [path])).toMatchObject({ skipped: 2, failed: 0 })
  })

  test('is reported as rejected each time, with reasons and the fields of its rows', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': `${'{"raw_content":"x","url":"u"}\n'.repeat(50)}bad\n`, 'b.jsonl': row('b') })
    const result = await run(kafka, [path])
    expect(result).toMatchObject({ documents: 1, rejected: 51, failed: 1 })
    expect(result.sources[0]).toMatchObject({
      outcome: 'refused',
      reasons: { 'no-text': 50, 'not-json': 1 },
      fields: ['raw_content', 'url'],
    })
    const again = await run(kafka, [path])
    expect(again.sources.map(({ outcome }) => outcome)).toEqual(['refused', 'already'])
    expect(kafka.deadLetters).toHaveLength(51)
  })

  test('is given up after 1,000 rows', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': '{"content":"x"}\n'.repeat(5000), 'b.jsonl': row('b') })
    const result = await run(kafka, [path])
    expect(result.sources[0]).toMatchObject({ outcome: 'refused', rejected: 1000, why: 'given up after 1000 rows' })
    expect(text(kafka)).toEqual(['b'])
    expect((await run(kafka, [path])).sources[0]).toMatchObject({ outcome: 'refused', rejected: 0 })
    expect(kafka.deadLetters).toHaveLength(1000)
    const named = await run(kafka, [path], { textField: 'content' })
    expect(named.sources[0]).toMatchObject({ outcome: 'ingested', documents: 5000 })
  })

  test('is read to its end if one of its rows is good', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': `${'bad\n'.repeat(700)}${row('good')}${'bad\n'.repeat(1500)}${row('last')}` })
    expect(await run(kafka, [path])).toMatchObject({ documents: 2, rejected: 2200, failed: 0 })
  })
})

describe('texts in a field of another name', () => {
  test.each([
    ['content', { content: 'a', text: 'b' }, { text: 'b' }],
    ['data.body', { data: { body: 'a', n: 1 }, id: 2 }, { data: { n: 1 }, id: 2 }],
    ['data.body', { 'data.body': 'a', data: { body: 'b' } }, { data: { body: 'b' } }],
  ])('are read from %s, and the rest of the row is kept', async (textField, line, meta) => {
    const kafka = new MemoryKafka()
    await run(kafka, [folder({ 'a.jsonl': `${JSON.stringify(line)}\n` })], { textField })
    expect(kafka.documents.map(({ text, meta }) => [text, JSON.parse(meta)])).toEqual([['a', meta]])
    expect(kafka.sources.get('a.jsonl')).toMatchObject({ textField })
  })

  test('are read from a column of Parquet', async () => {
    const kafka = new MemoryKafka()
    const data = parquetOf([{ name: 'body', data: ['x', 'y'], type: 'STRING' }])
    await run(kafka, [folder({ 'a.parquet': data })], { textField: 'body' })
    expect(text(kafka)).toEqual(['x', 'y'])
  })

  test('are not mixed: a source begun with one field is not continued with another', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': row('a', { body: 'b' }) })
    await run(kafka, [path])
    appendFileSync(join(path, 'a.jsonl'), row('c', { body: 'd' }))
    const [source] = (await run(kafka, [path], { textField: 'body' })).sources
    expect(source).toMatchObject({
      outcome: 'other-content',
      why: "its texts were taken from 'text' (--text-field text), not from 'body'",
    })
    expect(text(kafka)).toEqual(['a'])
  })
})
