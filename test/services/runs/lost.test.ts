import { tmpdir } from 'node:os'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { asDocumentId, labelsTopic, Source, topics } from '../../../schemas/index.ts'
import { startBoard } from '../../../services/board/board.ts'
import type { Config } from '../../../services/config/config.ts'
import type { NamedLoss } from '../../../services/corpus/duplicate-losses.ts'
import { Metrics } from '../../../services/runtime/metrics/metrics.ts'
import { cliOn, sayingOn } from '../../support/cli.ts'
import { blocksFor, commandsIn } from '../../support/documents.ts'
import { until } from '../../support/kafka.ts'
import { type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'

const metrics = new Metrics(() => 0)
let runtime: MemoryRuntime
let winnow: ReturnType<typeof cliOn>
const says = sayingOn(() => winnow)
const warned: object[] = []

/** Three sources of 60 documents; of the third 40 are those of the first again, of the second two. */
beforeAll(async () => {
  const made = await memoryRuntime()
  const log = Object.assign(Object.create(made.log), { warn: (told: object) => void warned.push(told) })
  // What counts the labels of the corpus alone asks it.
  const sql = { query: async () => [{ documents: '180', complete: '180', keys: '0' }] }
  const clickHouse = { sql } as unknown as MemoryRuntime['clickHouse']
  runtime = { ...made, kafka: made.kafka, metrics, log, clickHouse }
  winnow = cliOn(runtime, { actors: [] } as unknown as Config, tmpdir())
  const rows = [1, 2, 3]
    .flatMap((source) =>
      Array.from({ length: 60 }, (_, n) => {
        const isCopy = (source === 3 && n < 40) || (source === 2 && n < 2)
        return { docId: asDocumentId((BigInt(source) << 40n) + BigInt(n)), n, key: isCopy ? n : 1000 * source + n }
      }),
    )
    .map((row) => (row.key >= 1000 && row.key < 2000 ? { ...row, key: row.n } : row))
  const { store } = runtime
  const at = <V>(value: V, offset: number) => ({ value, partition: 0, offset })
  await store.addDocuments(rows.map(({ docId }, i) => at({ docId, text: `document ${i}`, tokens: 10, meta: '{}' }, i)))
  const label = { actor: 'parity', score: 1, tokens: 10, version: 'v1' }
  await store.addLabels(rows.map(({ docId, n }, i) => at({ docId, subcategory: n % 2, ...label }, i)))
  await store.addSketches(rows.map(({ docId, key }, i) => at({ docId, version: 'w5b14r8s1', keys: [key] }, i)))
  const inputs = [topics.documents.name, labelsTopic('parity').name, topics.sketches.name]
  await store.commit(inputs.map((topic) => ({ topic, partition: 0, offsetNext: rows.length })))
  const producer = await runtime.kafka.producer()
  const source = { fingerprint: '', rowNext: 60, documents: 60, rejected: 0, complete: true, textField: 'text' }
  for (const [i, name] of ['web.jsonl', 'books.jsonl', 'mirror.jsonl'].entries())
    await producer.send([
      {
        topic: topics.sources.name,
        key: name,
        value: runtime.codec.encode(Source, { ...source, name, source: i + 1 }),
      },
    ])
  await producer.close()
  await recordRun(runtime, parityRun('mirrored', { duplicates: { atMost: 1 } }, { steps: 4 }), () => 0.5)
  await recordRun(runtime, parityRun('plain', {}, { steps: 2 }), () => 0.5)
})

test('a source whose documents are mostly copies is told, with how many times its share it loses, and no other', async () => {
  const { round, sources } = JSON.parse(await says('run', 'lost', 'mirrored', '--json'))
  const counts = sources.map(({ name, documents, lostDocuments, lostTokens, more }: Record<string, unknown>) => [
    ...[name, documents, lostDocuments, lostTokens, more],
  ])
  expect([round, counts]).toEqual([
    1,
    [
      ['mirror.jsonl', 60, 40, 400, true],
      ['books.jsonl', 60, 2, 20, false],
      ['web.jsonl', 60, 0, 0, false],
    ],
  ])
  expect(sources[0].ratio).toBeCloseTo((40 / 42) * 3, 12)
  expect(await says('run', 'lost', 'mirrored')).toMatch(/mirror\.jsonl .* 2\.86 +more than its share/)
  expect(await says('run', 'lost', 'mirrored', '--factor', '3')).not.toContain('more than its share')
})

test('the console tells it to the metrics and the log', async () => {
  const ratios = async () => (await metrics.registry.metrics()).split('\n').filter((line) => /loss_ratio\{/.test(line))
  await until(async () => (await ratios()).length > 0)
  expect(await ratios()).toEqual([expect.stringMatching(/\{run="mirrored",source="mirror.jsonl"\} 2\.857/)])
  expect(warned).toContainEqual(expect.objectContaining({ run: 'mirrored', source: 'mirror.jsonl', lostDocuments: 40 }))
})

test('winnow status has a line of it, and none of runs without a limit', async () => {
  const told = await says('status')
  expect(told).toContain(
    'mirrored round 1: mirror.jsonl (2.86 times its share) loses more than its share to near duplicates: winnow run lost mirrored',
  )
  expect(told).not.toMatch(/plain round|books\.jsonl/)
  const { losing } = JSON.parse(await says('status', '--json'))
  expect(losing).toMatchObject([{ run: 'mirrored', round: 1, sources: [{ name: 'mirror.jsonl', lostDocuments: 40 }] }])
})

test('the board answers it of each round, and says of a run without a limit that it has none', async () => {
  const board = await startBoard(runtime, { port: 0 })
  onTestFinished(() => board.close())
  const lost = async (run: string, round: number) => {
    const answer = await fetch(`${board.url}/api/runs/${run}/rounds/${round}/lost`)
    return { status: answer.status, ...((await answer.json()) as { limited: boolean; sources: NamedLoss[] }) }
  }
  await until(async () => (await lost('plain', 0)).status === 200 && (await lost('mirrored', 1)).status === 200)
  const { limited, sources } = await lost('mirrored', 1)
  expect([limited, sources]).toMatchObject([
    true,
    [
      { name: 'mirror.jsonl', documents: 60, lostDocuments: 40, more: true },
      { name: 'books.jsonl', documents: 60, lostDocuments: 2, more: false },
    ],
  ])
  expect(await lost('plain', 0)).toEqual({ status: 200, limited: false, sources: [] })
  expect((await lost('mirrored', 9)).status).toBe(404)
})

test('a run without a limit, and a round that is not there, are answered with what to do', async () => {
  const refused = async (...args: string[]) => (await winnow('run', 'lost', ...args)).stderr
  expect(await refused('plain')).toContain('takes any number of near duplicates')
  expect(await refused('mirrored', '--round', '7')).toContain('has selected nothing in round 7')
})

test('the commands that documents give for it work', async () => {
  for (const command of blocksFor('services/runs/lost').flatMap(({ text }) => commandsIn(text)))
    expect([command, await winnow(...command.trim().split(/\s+/).slice(2))]).toMatchObject([command, { code: 0 }])
})
