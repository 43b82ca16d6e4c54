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

test('says on stdout what became of each source', async () => {
  const kafka = new MemoryKafka()
  const path = folder({ 'a.jsonl': `${rows(3)}bad\n` })
  const first = await command(kafka, [path])
  expect(first.exit).toBe(0)
  expect(first.out).toBe(
    'a.jsonl: 3 documents, 1 rows to dead letters\n3 documents written, 1 rows rejected, 0 of 1 sources skipped\n',
  )
  const second = await command(kafka, [path])
  expect(second.out).toBe(
    'a.jsonl: already ingested, 3 documents\n0 documents written, 0 rows rejected, 1 of 1 sources skipped\n',
  )
})

test('ends with 5 and names the source that breaks off', async () => {
  const whole = gzipSync(rows(3))
  const path = join(folder({ 'a.jsonl.gz': whole.subarray(0, whole.length - 8) }), 'a.jsonl.gz')
  const { exit, err } = await command(new MemoryKafka(), [path])
  expect(exit).toBe(5)
  expect(err).toContain('a.jsonl.gz breaks off')
})

test('ends with 130 when it was stopped', async () => {
  const { exit } = await command(new MemoryKafka(), [folder({ 'a.jsonl': rows(3) })], {}, AbortSignal.abort())
  expect(exit).toBe(130)
})

test('gives the result as JSON', async () => {
  const { out } = await command(new MemoryKafka(), [folder({ 'a.jsonl': rows(3) })], { json: true, name: 'p' })
  expect(JSON.parse(out)).toMatchObject({
    documents: 3,
    sources: [{ name: 'p/a.jsonl', source: 0, outcome: 'ingested' }],
  })
})

test('without a path it is a usage error', async () => {
  await expect(command(new MemoryKafka(), [])).rejects.toMatchObject({ code: 'USAGE' })
})

test('token counting is read from its flag', () => {
  expect(parseTokenCounting(undefined)).toEqual({ kind: 'bytes', perToken: 4 })
  expect(parseTokenCounting('bytes:4.5')).toEqual({ kind: 'bytes', perToken: 4.5 })
  expect(parseTokenCounting('tokenizer:C:/t.json')).toEqual({ kind: 'tokenizer', path: 'C:/t.json' })
  for (const bad of ['bytes', 'bytes:0', 'bytes:x', 'tokenizer:', 'words:3']) {
    expect(() => parseTokenCounting(bad)).toThrow(/expected bytes:N or tokenizer:FILE/)
  }
})
