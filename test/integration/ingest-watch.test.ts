import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { expect, inject, onTestFinished, test } from 'vitest'
import { DeadLetter, Document, topics } from '../../schemas/index.ts'
import { createCodec } from '../../services/runtime/codec.ts'
import { startWinnow } from '../services/cli/winnow.ts'
import { parquetOf } from '../services/ingest/parquet/support.ts'
import { connect, readAll, until } from '../support/kafka.ts'

const rowsOfFile = 300
const textsOf = (name: string) =>
  Array.from({ length: rowsOfFile }, (_, row) => `${name} ${row} ${'lorem '.repeat(row % 50)}`)
const linesOf = (name: string) =>
  textsOf(name)
    .map((text) => `${JSON.stringify({ text })}\n`)
    .join('')

/** As a slow copy does: pieces that end anywhere. */
async function writeSlowly(path: string, bytes: Buffer) {
  const pieceBytes = Math.ceil(bytes.length / 7)
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    appendFileSync(path, bytes.subarray(start, start + pieceBytes))
    await sleep(100)
  }
}

test('a watched folder yields each row of arriving files once, and Ctrl-C ends the watch with 0', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-ingest-watch-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'old.jsonl'), linesOf('old'))

  // The topics of the corpus have the same names for everyone: this test leaves none behind.
  const kafka = connect()
  const corpus: string[] = Object.values(topics).map(({ name }) => name)
  const before = (await kafka.topicNames()).filter((name) => !corpus.includes(name))
  const remove = async () => {
    const mine = async () => (await kafka.topicNames()).filter((name) => !before.includes(name))
    await kafka.deleteTopics(await mine())
    await until(async () => (await mine()).length === 0)
  }
  await remove()
  try {
    const codec = await createCodec({ registry: inject('registryUrl'), records: [Document, DeadLetter] })
    const watching = startWinnow(
      ['ingest', '--watch', folder, '--settle', '1', '--name', 'in', '--json'],
      {
        WINNOW_BROKERS: inject('brokers').join(','),
        WINNOW_REGISTRY_URL: inject('registryUrl'),
        WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
      },
      folder,
    )
    onTestFinished(() => void watching.child.kill('SIGKILL'))
    await watching.said('Ctrl-C ends')
    const parquet = parquetOf([{ name: 'text', data: textsOf('c'), type: 'STRING' }], { rowGroupSize: 40 })
    await Promise.all([
      writeSlowly(join(folder, 'a.jsonl'), Buffer.from(linesOf('a'))),
      writeSlowly(join(folder, 'b.jsonl.gz'), gzipSync(linesOf('b'))),
      writeSlowly(join(folder, 'c.parquet'), parquet),
    ])
    const documents = async () =>
      await Promise.all(
        (await readAll(kafka, topics.documents.name)).map(({ value }) => codec.decodeAs(Document, value!)),
      )
    await until(async () => (await documents()).length >= 4 * rowsOfFile, 60_000)
    watching.child.kill('SIGINT')
    const { code, stdout, stderr } = await watching.ended
    expect(code, stderr).toBe(0)
    const told = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string })
    expect(told.sort((a, b) => (a.name < b.name ? -1 : 1))).toMatchObject(
      ['in/a.jsonl', 'in/b.jsonl.gz', 'in/c.parquet', 'in/old.jsonl'].map((name) => ({
        name,
        outcome: 'ingested',
        documents: rowsOfFile,
        rejected: 0,
      })),
    )
    const all = await documents()
    expect(new Set(all.map(({ docId }) => docId)).size).toBe(all.length)
    expect(all.map(({ text }) => text).sort()).toEqual(['a', 'b', 'c', 'old'].flatMap(textsOf).sort())
    expect(await readAll(kafka, topics.deadLetters.name)).toEqual([])
  } finally {
    await remove()
  }
})
