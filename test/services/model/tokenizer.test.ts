import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { createTokenCounter } from '../../../services/ingest/token-counter.ts'
import { loadTokenizer } from '../../../services/model/tokenizer.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-tokenizer-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a tokenizer that marks beginnings, cuts and fills up encodes as one that does not, and as documents are counted', async () => {
  const shipped = join(demoGraphs, 'tokenizer.json')
  const marking = join(folder, 'tokenizer.json')
  const marks = { id: '<|endoftext|>', ids: [0], tokens: ['<|endoftext|>'] }
  const special = { SpecialToken: { id: marks.id, type_id: 0 } }
  const single = [special, { Sequence: { id: 'A', type_id: 0 } }, special]
  const post = { type: 'TemplateProcessing', single, pair: single, special_tokens: { [marks.id]: marks } }
  const truncation = { direction: 'Right', max_length: 4, strategy: 'LongestFirst', stride: 0 }
  const padding = { strategy: { Fixed: 8 }, direction: 'Right', pad_to_multiple_of: null, pad_id: 0, pad_type_id: 0 }
  const json = { ...JSON.parse(readFileSync(shipped, 'utf8')), post_processor: post, truncation }
  writeFileSync(marking, JSON.stringify({ ...json, padding: { ...padding, pad_token: marks.id } }))

  const [plain, marked] = [shipped, marking].map((path) => loadTokenizer(path, 4096, 0)) as [Plain, Plain]
  const texts = ['', 'the ship', 'the ship left harbour at dawn and sailed past cliffs']
  const expected = await plain.encodeAll(texts)
  expect(expected[2]!.length).toBeGreaterThan(8)
  expect(await marked.encodeAll(texts)).toEqual(expected)
  for (const [n, text] of texts.entries()) expect(await marked.encode(text)).toEqual(expected[n])
  const count = await createTokenCounter({ kind: 'tokenizer', path: marking })
  expect(await count(texts)).toEqual(expected.map(({ length }) => length))
})

type Plain = ReturnType<typeof loadTokenizer>
