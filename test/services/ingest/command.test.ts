import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { type IngestFlags, ingestCommand, parseTokenCounting } from '../../../services/ingest/command.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { codec, MemoryKafka } from './memory-kafka.ts'
import { folder, rows } from './support.ts'

async function command(
  kafka: MemoryKafka,
  paths: string[],
  flags: IngestFlags = {},
  signal = new AbortController().signal,
) {
  const out = { text: '', write: (text: string) => (out.text += text) }
  const err = { text: '', write: (text: string) => (err.text += text) }
  const context = { kafka: kafka.port, codec, log: createLog('test', 'silent'), clock: () => 0, signal }
  const exit = await ingestCommand(paths, flags, { ...context, stdin: process.stdin, stdout: out, stderr: err })
  return { exit, out: out.text, err: err.text }
}

test('reports on stdout what became of each source', async () => {
  const kafka = new MemoryKafka()
  const path = folder({ 'a.jsonl': `${rows(3)}bad\n` })
  const first = await command(kafka, [path])
  expect(first.exit).toBe(0)
  expect(first.out).toBe(
    'a.jsonl: 3 documents, 1 rows to dead letters (1 not-json)\n3 documents written, 1 rows rejected, 0 of 1 sources skipped\n',
  )
  const second = await command(kafka, [path])
  expect(second.out).toBe(
    'a.jsonl: already ingested, 3 documents\n0 documents written, 0 rows rejected, 1 of 1 sources skipped\n',
  )
})

test('exits with 5 and names the truncated source', async () => {
  const whole = gzipSync(rows(3))
  const path = join(folder({ 'a.jsonl.gz': whole.subarray(0, whole.length - 8) }), 'a.jsonl.gz')
  const { exit, err } = await command(new MemoryKafka(), [path])
  expect(exit).toBe(5)
  expect(err).toContain('a.jsonl.gz breaks off')
})

test('exits with 5 if every row of a source was rejected, with reasons and the fields of its rows', async () => {
  const path = folder({ 'a.jsonl': '{"raw_content":"x","url":"u"}\n'.repeat(50), 'b.jsonl': rows(1) })
  const { exit, out, err } = await command(new MemoryKafka(), [path])
  expect(exit).toBe(5)
  expect(out).toContain(
    'a.jsonl: no documents, 50 rows, all refused (50 no-text (rows have: raw_content, url))\nb.jsonl: 1 documents\n',
  )
  expect(err).toContain('a.jsonl gave no document: 50 no-text (rows have: raw_content, url). If the text has another')
  expect(err).toContain('--text-field NAME')
})

test('exits with 5 and names every source whose content changed', async () => {
  const kafka = new MemoryKafka()
  const path = folder({ 'a.jsonl': rows(1), 'b.jsonl': rows(2) })
  await command(kafka, [path])
  for (const name of ['a.jsonl', 'b.jsonl']) writeFileSync(join(path, name), '{"text":"other"}\n'.repeat(9))
  const { exit, err } = await command(kafka, [path])
  expect(exit).toBe(5)
  expect(err).toContain('a.jsonl is left as it was ingested')
  expect(err).toContain('b.jsonl is left as it was ingested')
})

test('reports which files of a folder are not ingested, and which hold no row', async () => {
  const xz = Buffer.from('\xfd7zXZ\0', 'latin1')
  const files = { 'a.jsonl': rows(1), 'b.jsonl.xz': xz, 'c.jsonl.xz': xz, 'README.md': 'read me', 'empty.jsonl': '' }
  const path = folder(files)
  const { exit, out, err } = await command(new MemoryKafka(), [path], { json: true })
  expect(exit).toBe(0)
  expect(JSON.parse(out).leftOut).toEqual([
    { extension: '.jsonl.xz', files: 2, example: 'b.jsonl.xz', why: 'compressed with xz', hint: expect.any(String) },
    { extension: '.md', files: 1, example: 'README.md', why: 'no name of rows', hint: expect.any(String) },
  ])
  expect(err).toContain('left out: 3 files\n  2 .jsonl.xz (such as b.jsonl.xz): compressed with xz; xz -dc ')
  expect(err).toContain('  1 .md (README.md): no name of rows')
  expect(err).toContain('empty.jsonl holds no row')
})

test('exits with 130 when it was stopped', async () => {
  const { exit } = await command(new MemoryKafka(), [folder({ 'a.jsonl': rows(3) })], {}, AbortSignal.abort())
  expect(exit).toBe(130)
})

test('prints the result as JSON', async () => {
  const { out } = await command(new MemoryKafka(), [folder({ 'a.jsonl': rows(3) })], { json: true, name: 'p' })
  expect(JSON.parse(out)).toMatchObject({
    documents: 3,
    sources: [{ name: 'p/a.jsonl', source: 0, outcome: 'ingested' }],
  })
})

test('requires a path: leaving it out is a usage error', async () => {
  await expect(command(new MemoryKafka(), [])).rejects.toMatchObject({ code: 'USAGE' })
})

test('reads how to count tokens from its flag', () => {
  expect(parseTokenCounting(undefined)).toEqual({ kind: 'bytes', perToken: 4 })
  expect(parseTokenCounting('bytes:4.5')).toEqual({ kind: 'bytes', perToken: 4.5 })
  expect(parseTokenCounting('tokenizer:C:/t.json')).toEqual({ kind: 'tokenizer', path: 'C:/t.json' })
  for (const bad of ['bytes', 'bytes:0', 'bytes:x', 'tokenizer:', 'words:3']) {
    expect(() => parseTokenCounting(bad)).toThrow(/expected bytes:N or tokenizer:FILE/)
  }
})
