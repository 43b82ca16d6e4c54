import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DeadLetter, Document, Source, topics } from '../../schemas/index.ts'
import { documentId } from '../../services/ingest/document-id.ts'
import { until } from '../support/kafka.ts'
import { casesOf } from './cases.ts'
import type { IngestChildOptions } from './ingest-child.ts'
import { type ChildOptions, killAt, Service } from './service.ts'
import { renewCorpusTopics } from './topics.ts'
import { openWorld, type World } from './world.ts'

const rows = 300
const badRow = 130
/** Long rows, so that a file comes in several pieces. */
const text = (row: number) => `row ${row} ${'lorem ipsum '.repeat(100)}`
const lines = Array.from({ length: rows }, (_, row) => (row === badRow ? 'bad' : JSON.stringify({ text: text(row) })))

let world: World
beforeAll(async () => {
  world = await openWorld()
  await renewCorpusTopics(world)
})
afterAll(() => world.close())

const kills = casesOf(
  'ingest',
  { landing: 3, soak: 100 },
  {
    decoded: 6,
    'producer before transaction': 9,
    'producer before send': 9,
    'producer after send': 9,
    'producer before commit': 9,
    'producer after transaction': 9,
  },
)

const valuesOf = async <T>(topic: string, record: string): Promise<T[]> =>
  (await world.records(topic)).flatMap((one) => (one.record === record ? [one.value as T] : []))

test.for(kills)(
  'an ingest killed at $name and restarted writes every row once, under the same ids',
  async ({ crashes }, { onTestFinished }) => {
    const prefix = randomUUID().slice(0, 8)
    const folder = mkdtempSync(join(tmpdir(), 'winnow-ingest-kill-'))
    writeFileSync(join(folder, 'a.jsonl'), `${lines.join('\n')}\n`)
    writeFileSync(join(folder, 'b.jsonl.gz'), gzipSync(lines.join('\n')))
    const services: Service[] = []
    onTestFinished(async () => {
      for (const service of services) await service.kill()
      rmSync(folder, { recursive: true })
    })
    const start = (crash?: ChildOptions['crash']) => {
      const options: IngestChildOptions = {
        addresses: world.addresses,
        paths: [folder],
        prefix,
        ...(crash && { crash }),
      }
      services.push(new Service('ingest', 'ingest-child.ts', options))
      return services.at(-1)!
    }
    const last = await killAt(crashes, start)
    await last.said('done')

    const ofSources = async () =>
      (await valuesOf<Source>(topics.sources.name, Source.name)).filter(({ name }) => name.includes(prefix))
    // Readers see the last transaction some milliseconds after it is committed.
    await until(async () => (await ofSources()).filter(({ complete }) => complete).length >= 2)
    const states = await ofSources()
    const sources = [...new Map(states.map((source) => [source.name, source])).values()]
    const names = sources.map(({ name }) => name)
    expect(names).toEqual([expect.stringContaining('a.jsonl'), expect.stringContaining('b.jsonl.gz')])
    // A number is given once.
    expect(new Set(states.map(({ name, source }) => `${name} ${source}`)).size).toBe(2)
    for (const source of sources) {
      expect(source).toMatchObject({ rowNext: rows, documents: rows - 1, rejected: 1, complete: true })
    }
    const numbers = new Set(sources.map(({ source }) => source))
    const ofDocuments = async () =>
      (await valuesOf<Document>(topics.documents.name, Document.name)).filter(({ docId }) =>
        numbers.has(Number(docId >> 40n)),
      )
    const wanted = sources.flatMap(({ source }) =>
      lines.flatMap((_, row) => (row === badRow ? [] : [[documentId(source, row), text(row)] as const])),
    )
    await until(async () => (await ofDocuments()).length >= wanted.length)
    const documents = await ofDocuments()
    expect(documents).toHaveLength(wanted.length)
    expect(new Map(documents.map((document) => [document.docId, document.text]))).toEqual(new Map(wanted))
    const letters = await valuesOf<DeadLetter>(topics.deadLetters.name, DeadLetter.name)
    const own = letters.filter(({ file }) => file?.startsWith(folder))
    expect(own.map(({ reason, line }) => [reason, line])).toEqual([
      ['not-json', badRow + 1],
      ['not-json', badRow + 1],
    ])
  },
)
