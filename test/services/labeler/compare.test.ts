import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asDocumentId, type Label, labelsTopic, topics } from '../../../schemas/index.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { labelVersions } from '../../../services/corpus/label-versions.ts'
import { compareFiles, compareVersions } from '../../../services/labeler/commands/compare.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import { MemoryStore } from '../../../topologies/memory-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-compare-'))
let clickHouse: ClickHouse
let store: ClickHouseStore
beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${join(folder, 'clickhouse')}` })
  await migrate(clickHouse.sql)
  store = new ClickHouseStore(clickHouse.sql)
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

/** Documents 0 to 9; the first labeler knows all, the second all but document 0, and they differ on document 9. */
const first = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
const second = [undefined, 0, 0, 0, 0, 1, 1, 1, 1, 0]

/** Labels of one version as the sink hands them to a store, from an offset of its own. */
function labelsOf(version: string, subcategories: (number | undefined)[], offsetFirst: number) {
  return subcategories.flatMap((subcategory, n) => {
    if (subcategory === undefined) return []
    const value: Label = {
      docId: asDocumentId(BigInt(n)),
      actor: 'topic',
      subcategory,
      score: n / 10,
      tokens: 1,
      version,
    }
    return [{ value, partition: 0, offset: offsetFirst + n }]
  })
}

function fileOf(name: string, subcategories: (number | undefined)[]): string {
  const file = join(folder, name)
  const rows = subcategories.flatMap((index, line) =>
    index === undefined ? [] : [JSON.stringify({ line, subcategory: `${index}`, index, score: line / 10 })],
  )
  writeFileSync(file, `${rows.join('\n')}\n`)
  return file
}

/** Of the nine documents in common eight agree; by chance (4 * 5 + 5 * 4) / 81 would. */
const expected = {
  documents: 9,
  onlyFirst: 1,
  onlySecond: 0,
  agreement: 8 / 9,
  kappa: expect.closeTo((8 / 9 - 40 / 81) / (1 - 40 / 81), 10),
  scores: { spearman: expect.closeTo(1, 10), meanAbsoluteDifference: 0 },
  confusion: [
    [4, 0],
    [1, 4],
  ],
}

describe('two versions of a labeler', () => {
  it('are compared by their output files', () => {
    expect(compareFiles(fileOf('a.jsonl', first), fileOf('b.jsonl', second))).toEqual(expected)
  })

  it('are compared in the corpus, where each has its own columns', async () => {
    await store.addLabels([...labelsOf('v1', first, 0), ...labelsOf('v2', second, 10)])
    expect(await labelVersions(clickHouse.sql, 'topic')).toEqual([
      { version: 'v1', documents: 10 },
      { version: 'v2', documents: 9 },
    ])
    expect(await compareVersions(clickHouse.sql, 'topic', 'v1', 'v2')).toEqual(expected)
    await expect(compareVersions(clickHouse.sql, 'topic', 'v1', 'v3')).rejects.toMatchObject({
      code: 'CONFIGURATION',
      hint: expect.stringContaining('v1, v2'),
    })
  })

  it.each(['{"line": 0}', 'not JSON', '{"line": 1, "index": -1, "score": 0}'])(
    'whose files have %s are refused by file and line',
    (row) => {
      const bad = join(folder, 'bad.jsonl')
      writeFileSync(bad, `{"line": 0, "index": 0, "score": 1}\n${row}\n`)
      expect(() => compareFiles(fileOf('a.jsonl', first), bad)).toThrow(/bad\.jsonl:2/)
    },
  )

  it('without a document in common are refused', () => {
    expect(() => compareFiles(fileOf('left.jsonl', [0]), fileOf('right.jsonl', [undefined, 0]))).toThrow(
      /no labelled document in common/,
    )
  })
})

describe('a run that names a version', () => {
  it.each([
    ['ClickHouse', () => store],
    ['memory', () => new MemoryStore()],
  ])('selects by that version’s labels whatever another version says later, in %s', async (_, make) => {
    const corpus = make()
    const topic = labelsTopic('topic').name
    await corpus.addDocuments(
      first.map((_label, n) => ({
        value: { docId: asDocumentId(BigInt(n)), text: '', meta: '{}', tokens: 1 },
        partition: 0,
        offset: n,
      })),
    )
    await corpus.addLabels(labelsOf('v1', first, 0))
    const options = (version: string) => ({
      columns: [{ actor: 'topic', version, topic }],
      labelOffsets: [topics.documents.name, topic].map((name) => ({ topic: name, partition: 0, offsetNext: 1000 })),
      readsOf: null,
    })
    const groupsOf = async (version: string) =>
      (await (await corpus.view(options(version))).groups())
        .map(({ labels, documents }) => [labels[0], documents])
        .sort((a, b) => a[0]! - b[0]!)
    const before = await groupsOf('v1')
    expect(before).toEqual([
      [0, 5],
      [1, 5],
    ])
    await corpus.addLabels(labelsOf('v2', second, 10))
    expect(await groupsOf('v1')).toEqual(before)
    expect(await groupsOf('v2')).toEqual([
      [0, 5],
      [1, 4],
    ])
  })
})
