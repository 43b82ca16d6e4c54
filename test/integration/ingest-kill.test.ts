import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { expect, inject, onTestFinished, test } from 'vitest'
import { DeadLetter, Document, Source, topics } from '../../schemas/index.ts'
import { documentId } from '../../services/ingest/document-id.ts'
import { createCodec } from '../../services/runtime/codec.ts'
import { parquetOf } from '../services/ingest/parquet/support.ts'
import { connect, readAll, until } from '../support/kafka.ts'

const child = fileURLToPath(new URL('../services/ingest/ingest-child.ts', import.meta.url))
const rowsOfFile = 1000
/** This line of each file is no row. */
const badRow = 333

/** Runs an ingest; with `killAfter` it gets a SIGKILL, `delayMs` after it gave its n-th batch away. Answers whether it ended by itself. */
async function ingestOnce(path: string, kill?: { after: number; delayMs: number }): Promise<boolean> {
  const process_ = spawn(process.execPath, [child, inject('brokers')[0]!, inject('registryUrl'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  createInterface({ input: process_.stdout }).on('line', (line) => {
    if (Number(line) === kill?.after) setTimeout(() => process_.kill('SIGKILL'), kill.delayMs)
  })
  const [code, signal] = await once(process_, 'exit')
  if (signal !== 'SIGKILL') expect(code).toBe(0)
  return signal !== 'SIGKILL'
}

test('an ingest that is killed repeatedly writes each row once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-ingest-kill-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const text = (row: number) => `row ${row} ${'lorem ipsum '.repeat(row % 100)}`
  const lines = Array.from({ length: rowsOfFile }, (_, row) =>
    row === badRow ? 'bad' : JSON.stringify({ text: text(row) }),
  )
  writeFileSync(join(folder, 'a.jsonl'), `${lines.join('\n')}\n`)
  writeFileSync(join(folder, 'b.jsonl.gz'), gzipSync(lines.join('\n')))
  const data = lines.map((_, row) => (row === badRow ? null : text(row)))
  writeFileSync(join(folder, 'c.parquet'), parquetOf([{ name: 'text', data, type: 'STRING' }], { rowGroupSize: 120 }))

  // The topics of the corpus have the same names for everyone: this test leaves none behind.
  const kafka = connect()
  const used = [topics.sources, topics.documents, topics.deadLetters]
  const remove = async () => {
    const mine = async () => (await kafka.topicNames()).filter((name) => used.some((topic) => topic.name === name))
    await kafka.deleteTopics(await mine())
    await until(async () => (await mine()).length === 0)
  }
  await remove()
  await kafka.createTopics(
    used.map(({ name, cleanup, retentionMs, partitions }) => ({
      name,
      cleanup,
      retentionMs,
      partitions: partitions === 'corpus' ? 4 : partitions,
    })),
  )
  try {
    for (const [index, delayMs] of [0, 3, 6, 10, 15, 1, 4, 8].entries()) {
      expect(await ingestOnce(folder, { after: 2 + (index % 5), delayMs })).toBe(false)
    }
    expect(await ingestOnce(folder)).toBe(true)

    const codec = await createCodec({ registry: inject('registryUrl'), records: [Source, Document, DeadLetter] })
    const documents = await Promise.all(
      (await readAll(kafka, topics.documents.name)).map(({ value }) => codec.decodeAs(Document, value!)),
    )
    const expected = [0, 1, 2].flatMap((source) =>
      lines.flatMap((_, row) => (row === badRow ? [] : [[documentId(source, row), text(row)] as const])),
    )
    expect(documents.length).toBe(expected.length)
    expect(new Map(documents.map((document) => [document.docId, document.text]))).toEqual(new Map(expected))
    const letters = await Promise.all(
      (await readAll(kafka, topics.deadLetters.name)).map(({ value }) => codec.decodeAs(DeadLetter, value!)),
    )
    expect(letters.map(({ reason, line }) => [reason, line])).toEqual([
      ['not-json', badRow + 1],
      ['not-json', badRow + 1],
      ['no-text', badRow + 1],
    ])
    const states = await Promise.all(
      (await readAll(kafka, topics.sources.name)).map(({ value }) => codec.decodeAs(Source, value!)),
    )
    const state = new Map(states.map((source) => [source.name, source]))
    for (const [source, name] of ['a.jsonl', 'b.jsonl.gz', 'c.parquet'].entries()) {
      expect(state.get(name)).toMatchObject({
        source,
        rowNext: rowsOfFile,
        documents: rowsOfFile - 1,
        rejected: 1,
        complete: true,
      })
    }
  } finally {
    await remove()
  }
})
