import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { checkCheckpoints, checkSubcategories } from '../../../../services/runs/check/check.ts'
import { checkReferences } from '../../../../services/runs/check/references.ts'
import type { ClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import type { Sql } from '../../../../services/runtime/clickhouse/sql.ts'
import { Texts } from '../../../../services/texts/texts.ts'
import { checkpointPath } from '../../../../services/trainer/checkpoints.ts'
import { MemoryKeys } from '../../../support/memory-keys.ts'
import { testRun } from '../../../support/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-check-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A corpus of these texts, whose ids are their places. */
const corpusOf = (...documents: string[]) =>
  ({
    query: async (_statement: string, { digests }: { digests: string[] }) =>
      documents
        .map((text, doc) => ({ doc: `${doc}`, digest: createHash('md5').update(text).digest('hex') }))
        .filter(({ digest }) => digests.includes(digest)),
  }) as unknown as Sql

function file(name: string, ...rows: object[]): string {
  const path = join(folder, name)
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text)
  return path
}
const reward = file('reward.jsonl', { text: 'one' }, { text: 'two' })
const evaluation = file('evaluation.jsonl.gz', { context: 'thr', continuation: 'ee' })
const corpus = file('corpus.jsonl', { text: 'four' })

const runtimeOf = (sql: Sql) => ({
  clickHouse: { sql } as ClickHouse,
  texts: new Texts(new MemoryKeys()),
})

const problemsOf = async (more: object, sql = corpusOf()) =>
  (
    await checkReferences(
      testRun('mine', { reference: { reward, evaluation, corpus, ...more } }),
      runtimeOf(sql),
      undefined,
    )
  ).map(({ what, mend }) => {
    expect(mend).toMatch(/\.$/)
    return what
  })

test('existing references that share nothing with each other or the corpus pass', async () => {
  expect(await problemsOf({}, corpusOf('five', 'thr'))).toEqual([])
})

test('a file used twice, also through a link, and samples shared by two files are reported', async () => {
  const link = join(folder, 'link.jsonl')
  symlinkSync(reward, link)
  expect((await problemsOf({ evaluation: link }))[0]).toBe(
    `reference.reward and reference.evaluation are the same file, ${link}`,
  )
  const shared = file('shared.jsonl', { text: 'two' }, { text: 'six' })
  expect(await problemsOf({ evaluation: shared })).toEqual([
    '1 of the 2 samples of reference.evaluation are samples of reference.reward too',
  ])
  expect(await problemsOf({ reward: corpus, moreRewards: [shared], corpus: reward, evaluation: shared })).toEqual([
    `reference.moreRewards.0 and reference.evaluation are the same file, ${shared}`,
  ])
})

test('samples that are documents of the corpus are reported, including a context with its continuation', async () => {
  expect(await problemsOf({}, corpusOf('zero', 'two', 'three'))).toEqual([
    '1 of the 2 samples of reference.reward are documents of the corpus (1), which the model may be trained on',
    '1 of the 1 samples of reference.evaluation are documents of the corpus (2), which the model may be trained on',
  ])
})

test('missing files, empty files and files of another kind are reported', async () => {
  const nowhere = join(folder, 'nowhere.jsonl')
  expect((await problemsOf({ reward: nowhere }))[0]).toContain(`reference.reward: cannot read ${nowhere}`)
  expect(await problemsOf({ corpus: file('empty.jsonl') })).toEqual([expect.stringContaining('has no samples')])
  const second = file('other.jsonl', { text: 'x' }, { body: 'x' })
  expect(await problemsOf({ corpus: second })).toEqual([`reference.corpus: ${second}:2: not a reference sample`])
})

test('a search of the corpus that did not see all of it is said, and keeps nobody from recording the run', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  const slow = {
    query: async () => {
      vi.setSystemTime(Date.now() + 60_000)
      return []
    },
  } as unknown as Sql
  const run = testRun('mine', { reference: { reward, evaluation, corpus } })
  const found = await checkReferences(run, runtimeOf(slow), undefined)
  expect(found).toEqual([expect.objectContaining({ isWarning: true })])
  expect(found[0]?.what).toBe(
    'whether the corpus contains samples of the references is not known: the search took longer than 60 s, and has not seen all documents',
  )
})

test('the checkpoints folder must be writable and hold nothing of an earlier run of that name', async () => {
  const checkpoints = join(folder, 'deep', 'checkpoints')
  const run = testRun('mine', { checkpoints })
  expect(await checkCheckpoints(run)).toEqual([])
  // A run that is refused for something else leaves nothing.
  expect(existsSync(join(folder, 'deep'))).toBe(false)
  mkdirSync(join(checkpoints, 'mine'), { recursive: true })
  writeFileSync(checkpointPath(checkpoints, 'mine', 20), '')
  expect(await checkCheckpoints(run)).toEqual([
    expect.objectContaining({
      what: expect.stringContaining('a checkpoint of an earlier run of this name, at step 20'),
    }),
  ])
  expect(await checkCheckpoints(testRun('other', { checkpoints }))).toEqual([])
  const [taken] = await checkCheckpoints(testRun('mine', { checkpoints: reward }))
  expect(taken?.what).toContain(`checkpoints: ${reward}`)
})

test.skipIf(process.getuid?.() === 0)('a checkpoints folder that may not be written to', async () => {
  const checkpoints = mkdtempSync(join(folder, 'readonly-'))
  chmodSync(checkpoints, 0o555)
  expect(await checkCheckpoints(testRun('mine', { checkpoints }))).toHaveLength(1)
})

test('subcategories must be those of the labeler version', () => {
  const run = testRun('mine', { actors: { tone: ['low', 'high'] } })
  const of = (version: string, ...subcategories: string[]) => [{ name: 'tone', version, subcategories }]
  expect(checkSubcategories(run, of('v1', 'low', 'high'))).toEqual([])
  // What labels of another version are of is not known here.
  expect(checkSubcategories(run, of('v2', 'a', 'b'))).toEqual([])
  const [problem] = checkSubcategories(run, of('v1', 'high', 'low'))
  expect(problem?.what).toBe(
    'selection.actors.tone has the subcategories low, high, but labels of version v1 are of high, low',
  )
})
