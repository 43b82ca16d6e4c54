import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Config } from '../../../services/config/config.ts'
import { cliOn } from '../../support/cli.ts'
import { memoryRuntime } from '../../support/memory-runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-strategies-'))
afterAll(() => rmSync(folder, { recursive: true }))
const winnow = cliOn(await memoryRuntime(), undefined as unknown as Config, folder)

const rows = [
  { text: 'the whale and the ship', meta: { source: 'Book' }, score: 3.4 },
  { text: 'a sailor saw the whale', meta: { source: 'Book' }, score: '2.5' },
  { text: 'the price of the market', meta: { source: 'C4' }, score: 0.2 },
  { text: 'no score here', meta: { source: 'C4' } },
]
const corpus = join(folder, 'corpus.jsonl')
writeFileSync(corpus, rows.map((row) => JSON.stringify(row)).join('\n'))
writeFileSync(
  join(folder, 'winnow.yaml'),
  `actors:
  domain: { subcategories: [Book, C4], labeler: { kind: metadata, path: source } }
  dsir-book: { labeler: { kind: dsir, model: ./dsir-book } }
  edu: { labeler: { kind: edu, by: { kind: metadata } } }
`,
)
const lines = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test('train fits DSIR to a subcategory, and label gives the weights', async () => {
  const train = ['labeler', 'train', '--task', 'dsir', '--text', corpus, '--out', join(folder, 'dsir-book')]
  const trained = await winnow(...train, '--target-subcategory', 'domain=Book')
  expect(trained).toMatchObject({ code: 0 })
  expect(JSON.parse(trained.stdout)).toMatchObject({ target: 'domain=Book', corpusDocuments: 4, targetDocuments: 2 })
  const labelled = await winnow('labeler', 'label', '--actor', 'dsir-book', corpus)
  const labels = lines(labelled.stdout) as { subcategory: string; score: number }[]
  expect(labels.map(({ subcategory }) => subcategory)).toEqual(['all', 'all', 'all', 'all'])
  expect(labels.map(({ score }) => score > 0)).toEqual([true, true, false, false])
  // A target of its own file, of the same documents, is the same fit.
  writeFileSync(
    join(folder, 'books.jsonl'),
    rows
      .slice(0, 2)
      .map((row) => JSON.stringify(row))
      .join('\n'),
  )
  await winnow(...train.slice(0, -1), join(folder, 'by-file'), '--target', join(folder, 'books.jsonl'))
  const countsOf = (name: string) => JSON.parse(readFileSync(join(folder, name, 'dsir.json'), 'utf8')).targetCounts
  expect(countsOf('by-file')).toEqual(countsOf('dsir-book'))
})

test.each([
  [['--task', 'dsir'], 2, /--target or --target-subcategory/],
  [['--task', 'dsir', '--target', corpus, '--data', corpus], 2, /takes no --data/],
  [['--task', 'dsir', '--target-subcategory', 'Book'], 2, /ACTOR=SUBCATEGORY/],
  [['--task', 'dsir', '--target-subcategory', 'domain=Books'], 3, /actor domain has no subcategory Books/],
  [['--task', 'dsir', '--target-subcategory', 'genre=Book'], 3, /no actor genre/],
  [['--task', 'regression'], 2, /needs --data/],
  [['--task', 'regression', '--data', corpus, '--target', corpus], 2, /takes no target/],
])('train %j is refused', async (options, code, message) => {
  const refused = await winnow('labeler', 'train', '--text', corpus, '--out', join(folder, 'none'), ...options)
  expect(refused.code).toBe(code)
  expect(refused.stderr).toMatch(message)
})

test('label says which document has no score, and evaluate cuts the truth as the labeler does', async () => {
  const labelled = await winnow('labeler', 'label', '--actor', 'edu', corpus)
  expect(lines(labelled.stdout)).toEqual([
    { line: 0, subcategory: '3', index: 3, score: 3.4 },
    { line: 1, subcategory: '2', index: 2, score: 2.5 },
    { line: 2, subcategory: '0', index: 0, score: 0.2 },
  ])
  expect(labelled.stderr).toContain('missing-score')
  const truth = [2.6, 2.4, 0.4].map((edu, line) => JSON.stringify({ shard: 0, line, edu }))
  const annotations = join(folder, 'truth.jsonl')
  writeFileSync(annotations, truth.join('\n'))
  const evaluated = await winnow('labeler', 'evaluate', '--actor', 'edu', '--data', annotations, '--text', corpus)
  expect(JSON.parse(evaluated.stdout)).toMatchObject({ documents: 3, metrics: { accuracy: 1, macroF1: 1 } })
})
