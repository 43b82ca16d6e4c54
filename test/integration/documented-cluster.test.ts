import { randomUUID } from 'node:crypto'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { expect, inject, onTestFinished, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { toyClasses, toyText } from '../services/labeler/toy.ts'
import { runDocumented } from '../support/documented.ts'
import { blocksFor } from '../support/documents.ts'
import { connect, until } from '../support/kafka.ts'
import { type Running, replacing, shellIn, signalGroup } from '../support/shell.ts'

const root = join(import.meta.dirname, '../..')
const rowsOfFile = 60

/** Somebody's corpus, and the other files that documents name without saying how to get them. */
function writeFiles(folder: string): void {
  mkdirSync(join(folder, 'corpus'))
  const annotations: object[] = []
  const rows = [0, 1].map((shard) =>
    Array.from({ length: rowsOfFile }, (_, line) => {
      const topic = line % toyClasses.length
      annotations.push({ shard, line, topic: toyClasses[topic] })
      const meta = { redpajama_set_name: line % 3 === 0 ? 'RedPajamaBook' : 'RedPajamaGithub', topic: 'Nature' }
      return { text: `${shard} ${line} ${toyText(topic, line + shard * rowsOfFile)}`, meta }
    }),
  )
  const lines = (records: readonly object[]) => records.map((record) => `${JSON.stringify(record)}\n`).join('')
  for (const [shard, of] of rows.entries()) {
    writeFileSync(join(folder, 'corpus', `part-${shard}.jsonl.gz`), gzipSync(lines(of)))
    writeFileSync(join(folder, `shard-${shard}.jsonl.gz`), gzipSync(lines(of)))
  }
  writeFileSync(
    join(folder, 'other.jsonl'),
    lines([{ body: 'a text elsewhere', meta: { redpajama_set_name: 'RedPajamaC4' } }]),
  )
  writeFileSync(join(folder, 'documents.jsonl'), lines(rows[0]!))
  const items = rows[0]!.slice(0, 3).map(({ text }) => ({ text: `Which topic has this text? ${text}` }))
  writeFileSync(join(folder, 'birds.jsonl'), lines(items))
  writeFileSync(join(folder, 'annotations.jsonl'), lines(annotations))
  writeFileSync(join(folder, 'others.jsonl'), lines(annotations.slice(0, 20)))
  const columnData = [{ name: 'text', data: rows[1]!.map(({ text }) => text), type: 'STRING' as const }]
  writeFileSync(join(folder, 'wikipedia.parquet'), new Uint8Array(parquetWriteBuffer({ columnData })))
  // A small encoder stands for FineWeb-Edu's, and a copy for the shipped model: golden outputs are written beside it.
  cpSync(join(root, 'test/services/labeler/fixtures/quality'), join(folder, 'fineweb-edu'), { recursive: true })
  cpSync(join(root, 'services/labeler/models/topic'), join(folder, 'topic-model'), { recursive: true })
}

/** What sentences name and no block has, with values for what they leave open. */
const withinSentences = [
  'npx winnow ingest --text-field body other.jsonl',
  'npx winnow dead-letters list --reason unknown-domain',
  'npx winnow dead-letters redrive --all --reason unknown-domain',
  'npx winnow init --run --preset small --out small.yaml',
  'npx winnow init --run --preset paper --out paper.yaml',
  'npx winnow acls console --run first',
  'npx winnow doctor --service console --run first',
]

test('every command and query that documents give for a cluster of one’s own works as it stands there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-documented-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const kafka = connect()
  // Its names of topics are those of every corpus, and other tests may have left theirs.
  const ours = async () => (await kafka.topicNames()).filter((topic) => topic.startsWith('winnow.'))
  const clear = async () => {
    await kafka.deleteTopics(await ours())
    await until(async () => (await ours()).length === 0)
  }
  await clear()
  onTestFinished(clear)

  const address = new URL(inject('clickhouseUrl'))
  const password = decodeURIComponent(address.password)
  const username = address.username || 'default'
  const database = `documented_${randomUUID().slice(0, 8)}`
  const url = `${address.protocol}//${address.host}`
  const cwd = join(folder, 'work')
  mkdirSync(cwd)
  writeFiles(cwd)
  const blocks = blocksFor('integration/documented-cluster')
  const configuration = blocks.filter(({ language }) => language === 'yaml')
  expect(configuration).toHaveLength(1)
  const configured = replacing(configuration[0]!.text, [
    ['broker-1:9092, broker-2:9092', inject('brokers').join(', ')],
    ['http://registry:8081', inject('registryUrl')],
    [
      'http://clickhouse:8123, username: winnow, database: winnow',
      `${url}, username: ${username}, database: ${database}`,
    ],
    ['partitions: 64', 'partitions: 2'],
    ['shipped:topic', './topic-model'],
  ])
  writeFileSync(join(cwd, 'winnow.yaml'), configured)

  const shell = shellIn(folder, { WINNOW_CLICKHOUSE_PASSWORD: password })
  const running: Running[] = []
  const start = (commands: string, where = cwd): Running => {
    const one = shell(commands, where)
    running.push(one)
    return one
  }
  onTestFinished(() => {
    for (const one of running) signalGroup(one, 'SIGKILL')
  })
  const ended = async (one: Running): Promise<string> => {
    expect(await one.ended, one.said.text).toBe(0)
    return one.said.text
  }
  const inCwd = (file: string) => join(cwd, file)
  const short = { updateSteps: 2, steps: 6, sampleDocuments: 2, trainer: { batch: 2, context: 24, reportSteps: 1 } }
  const shortened = (run: string) => {
    const given = parse(readFileSync(inCwd('run.yaml'), 'utf8'))
    writeFileSync(inCwd(`${run === 'first' ? 'run' : run}.yaml`), stringify({ ...given, ...short, name: run }))
  }
  /** Labels of another version of a labeler, from another folder with another configuration. */
  const otherVersion = async () => {
    const other = join(folder, 'other')
    mkdirSync(other)
    const config = parse(configured)
    config.actors.topic = { labeler: { kind: 'metadata', path: 'topic' } }
    writeFileSync(join(other, 'winnow.yaml'), stringify(config))
    const labeler = start('exec npx winnow run labeler --actor topic', other)
    const versions = async () =>
      JSON.parse(await ended(start('npx winnow labeler versions --corpus --json'))).filter(
        ({ actor, documents }: { actor: string; documents: number }) =>
          actor === 'topic' && documents >= 2 * rowsOfFile,
      )
    await until(async () => (await versions()).length === 2, 60_000)
    signalGroup(labeler, 'SIGINT')
    await ended(labeler)
  }
  let stations: Running | undefined
  const endStations = async () => {
    if (stations === undefined) return
    signalGroup(stations, 'SIGINT')
    await ended(stations)
    stations = undefined
  }

  const staying = await runDocumented(
    blocks.filter(({ language }) => language === 'sh'),
    {
      ...{ shell, cwd, started: (one) => running.push(one) },
      given: () => [['--run RUN', '--run first']],
      treatments: [
        {
          of: 'npx winnow up --run NAME --no-trainer',
          serves: 'everything runs',
          before: endStations,
        },
        { of: 'npx winnow up', stays: 'everything runs' },
        { of: 'npx winnow run create run.yaml', before: () => shortened('first') },
        { of: 'npx winnow run labeler', serves: 'Ctrl-C' },
        { of: 'npx winnow run label-sink', serves: 'Ctrl-C' },
        {
          of: 'npx winnow run stations --run NAME',
          stays: 'running: ',
          before: async () => {
            shortened('NAME')
            await ended(start('npx winnow run create NAME.yaml'))
          },
        },
        {
          of: 'npx winnow run influence',
          serves: 'running: ',
          before: () => {
            stations = running.at(-1)
          },
        },
        {
          of: 'npx winnow labeler compare here.json',
          before: () => copyFileSync(inCwd('here.json'), inCwd('there.json')),
        },
        { of: 'npx winnow labeler compare --actor', before: otherVersion },
        {
          of: 'npx winnow labeler compare before.jsonl',
          before: () => {
            for (const file of ['before.jsonl', 'after.jsonl']) copyFileSync(inCwd('labels.jsonl'), inCwd(file))
          },
        },
      ],
    },
  )

  for (const command of withinSentences) await ended(start(command))
  const board = start('exec npx winnow board --port 0')
  await until(() => board.said.text.includes('http://'), 60_000)
  signalGroup(board, 'SIGINT')
  await ended(board)

  const versions: { actor: string; version: string; inForce: boolean }[] = JSON.parse(
    await ended(start('npx winnow labeler versions --json')),
  )
  const { version } = versions.find(({ actor }) => actor === 'topic')!
  const clickHouse = await createClickHouse({ url, username, password, database })
  onTestFinished(() => clickHouse.close())
  const queries = blocks.filter(({ language }) => language === 'sql')
  expect(queries.length).toBeGreaterThan(2)
  for (const { text } of queries) {
    const rows = await clickHouse.sql.query(text.replaceAll('label_topic_1a2b', `label_topic_${version}`))
    expect(rows.length, text).toBeGreaterThan(0)
  }

  for (const one of staying.filter((one) => one !== stations)) {
    signalGroup(one, 'SIGTERM')
    await ended(one)
  }
}, 600_000)
