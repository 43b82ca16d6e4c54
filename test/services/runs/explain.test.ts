import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asDocumentId, labelsTopic, topics } from '../../../schemas/index.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { corpusComposition, selectionComposition } from '../../../services/runs/composition.ts'
import { explainDocument } from '../../../services/runs/explain.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import { SelectionReader } from '../../../services/selections/selection-reader.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-explain-'))
const corpusDocuments = 20
const run = parityRun('r', { budget: { documents: 12 }, repeat: 'exclude' })
let clickHouse: ClickHouse
let runtime: MemoryRuntime

beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
  runtime = { ...(await memoryRuntime(new ClickHouseStore(clickHouse.sql))), clickHouse }
  await fillByParity(runtime.store, corpusDocuments)
  await recordRun(runtime, run, (text) => (Number(text.split(' ')[1]) % 2 === 0 ? -1 : 1))
}, 120_000)

afterAll(async () => {
  await clickHouse?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Who selected which ids, by round. */
async function selections() {
  const reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'test' })
  const rounds: { ids: bigint[]; read: bigint[] }[] = []
  for (let round = 0; round < 3; round++) {
    const ids: bigint[] = []
    for await (const chunk of reader.chunks(await reader.manifest(round))) ids.push(...chunk)
    // The trainer of recordRun has passed 4 documents of each selection when the next round opens.
    rounds.push({ ids, read: ids.slice(0, 4) })
  }
  return { reader, rounds }
}

test('for each round every document is explained: selected or not, and why', async () => {
  const { reader, rounds } = await selections()
  await reader.close()
  for (let docId = 0n; docId < corpusDocuments; docId++) {
    const { document, explanations } = (await explainDocument(runtime, run, asDocumentId(docId)))!
    expect(document).toMatchObject({ docId, text: `document ${docId}`, tokens: 10 + Number(docId) })
    expect(explanations.map(({ round }) => round)).toEqual([0, 1, 2])
    for (const { round, verdict } of explanations) {
      const wasRead = rounds.slice(0, round).some(({ read }) => read.includes(docId))
      if (rounds[round]!.ids.includes(docId)) expect(verdict).toBe('selected')
      else if (wasRead) expect(verdict).toBe('already read')
      else expect(['below the threshold', 'lost the draw among equals']).toContain(verdict)
    }
  }
})

test('a document ingested later was not there yet, an unlabelled one has no verdict, and an unknown id no explanation', async () => {
  const value = { docId: asDocumentId(100n), text: 'late', tokens: 1, meta: '{}' }
  await runtime.store.addDocuments([
    { value, partition: 0, offset: 100 },
    { value: { ...value, docId: asDocumentId(101n) }, partition: 0, offset: 101 },
  ])
  const label = { docId: asDocumentId(100n), actor: 'parity', subcategory: 1, score: 1, tokens: 1, version: 'v1' }
  await runtime.store.addLabels([{ value: label, partition: 0, offset: 100 }])
  const late = await explainDocument(runtime, run, asDocumentId(100n))
  expect(late!.explanations.map(({ verdict }) => verdict)).toEqual(Array(3).fill('not there yet'))
  expect(await explainDocument(runtime, run, asDocumentId(101n))).toMatchObject({
    document: { labels: null },
    explanations: [],
  })
  expect(await explainDocument(runtime, run, asDocumentId(102n))).toBeUndefined()
})

test('compositions count the corpus as of a round, and its selection, by subcategory', async () => {
  const { reader, rounds } = await selections()
  const manifest = await reader.manifest(1)
  expect(manifest.labelOffsets.map(({ topic }) => topic).sort()).toEqual(
    [topics.documents.name, labelsTopic('parity').name].sort(),
  )
  expect(await corpusComposition(runtime, run, manifest)).toEqual([[10, 10]])
  const odd = (ids: bigint[]) => ids.filter((id) => id % 2n === 1n).length
  const { ids } = rounds[1]!
  expect(await selectionComposition(runtime, run, manifest)).toEqual([[ids.length - odd(ids), odd(ids)]])
  const first = ids.slice(0, 3)
  expect(await selectionComposition(runtime, run, manifest, 3)).toEqual([[3 - odd(first), odd(first)]])
  await reader.close()
})
