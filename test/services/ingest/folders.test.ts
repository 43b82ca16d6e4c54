import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { extensionOf, standingOf } from '../../../services/ingest/names.ts'
import { MemoryKafka } from './memory-kafka.ts'
import { folder, row, run } from './support.ts'

/** Files and links (`->`) below a folder that is gone after the test. */
function tree(entries: Record<string, string | Buffer>): string {
  const root = folder()
  for (const [name, content] of Object.entries(entries)) {
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    if (typeof content === 'string' && content.startsWith('->')) symlinkSync(content.slice(2), path)
    else writeFileSync(path, content)
  }
  return root
}

async function names(path: string, followLinks?: string[]) {
  const kafka = new MemoryKafka()
  const result = await run(kafka, [path], followLinks && { nameOptions: { followLinks } })
  const leftOut = result.leftOut.map(({ extension, files, why }) => `${files} ${extension}: ${why}`)
  return { names: result.sources.map(({ name }) => name), leftOut, documents: result.documents }
}

test('every spelling of an extension is accepted, and other files are counted', async () => {
  const xz = Buffer.from('\xfd7zXZ\0', 'latin1')
  const path = tree({
    'a.jsonl': row('a'),
    'b.json.gz': gzipSync(row('b')),
    'c.jsonl.xz': xz,
    'd.JSONL': row('d'),
    'e.json': row('e'),
    'f.jsonl.zstd': zstdCompressSync(row('f')),
    'g.jsonl.bz2': 'BZh9',
    'h.arrow': 'ARROW1',
    'i.jsonl.gzip': gzipSync(row('i')),
    'j.Json.Zst': zstdCompressSync(row('j')),
    'k.NDJSON.GZ': gzipSync(row('k')),
    LICENSE: 'free',
  })
  expect(await names(path)).toEqual({
    names: ['a.jsonl', 'b.json.gz', 'd.JSONL', 'e.json', 'f.jsonl.zstd', 'i.jsonl.gzip', 'j.Json.Zst', 'k.NDJSON.GZ'],
    documents: 8,
    leftOut: [
      '1 : no name of rows',
      '1 .arrow: an Arrow or Feather file',
      '1 .jsonl.bz2: compressed with bzip2',
      '1 .jsonl.xz: compressed with xz',
    ],
  })
})

test('.json files beside the data that are settings or descriptions are recognized and left out', async () => {
  const path = tree({
    'data.jsonl': row('a'),
    'dataset_infos.json': '{"default": {"features": {}}}',
    'config.json': '{\n  "name": "x"\n}\n',
    'list.json': '["a", "b"]',
    'one.json': row('one document a file'),
  })
  expect(await names(path)).toEqual({
    names: ['data.jsonl', 'one.json'],
    documents: 2,
    leftOut: [
      '1 .json: JSON over several lines, not JSON lines',
      "1 .json: one JSON object without 'text', not rows",
      '1 .json: a JSON array, not JSON lines',
    ],
  })
  await expect(names(tree({ 'list.json': '[{"text":"a"}]', README: '' }))).rejects.toMatchObject({
    code: 'CONFIGURATION',
    message: expect.stringMatching(/^no \.jsonl.*list\.json.*a JSON array, not JSON lines; jq -c '\.\[\]'/s),
  })
})

test('temporary files are reported and not ingested; hidden files are ignored', async () => {
  const path = tree({
    'part-0.jsonl': row('a'),
    '_temporary/0/part-0.jsonl': row('a'),
    '~part-1.jsonl': row('b'),
    '.part-2.jsonl': row('c'),
    '.hidden/a.jsonl': row('d'),
    '_delta_log/000.json': row('e'),
    _SUCCESS: '',
  })
  expect(await names(path)).toEqual({
    names: ['part-0.jsonl'],
    documents: 1,
    leftOut: [
      '1 : no name of rows',
      '2 : temporary, or the log of a table',
      '1 .jsonl: temporary, or the log of a table',
    ],
  })
})

describe('links', () => {
  test('to a folder elsewhere are an error, and are followed if its root is named', async () => {
    const path = tree({ 'in/a.jsonl': row('a'), 'in/more': '->../disk', 'disk/sub/b.jsonl': row('b') })
    await expect(names(join(path, 'in'))).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('in/more leads out of'),
      hint: expect.stringContaining('--follow-links ROOT'),
    })
    expect(await names(join(path, 'in'), [join(path, 'disk')])).toEqual({
      names: ['a.jsonl', 'more/sub/b.jsonl'],
      documents: 2,
      leftOut: [],
    })
  })

  test('to files elsewhere are followed within the named root only', async () => {
    const path = tree({
      'in/a.jsonl': '->../disk/x',
      'in/b.jsonl': '->../other/y',
      'disk/x': row('x'),
      'other/y': row('y'),
    })
    await expect(names(join(path, 'in'), [join(path, 'disk')])).rejects.toThrow(/in\/b\.jsonl leads out of/)
    expect(await names(join(path, 'in'), [path])).toMatchObject({ names: ['a.jsonl', 'b.jsonl'], documents: 2 })
    await expect(names(join(path, 'in'), [join(path, 'missing')])).rejects.toMatchObject({ code: 'CONFIGURATION' })
  })

  test('to folders inside are not read twice, unless their target is hidden; loops end', async () => {
    const path = tree({
      'run-1/a.jsonl': row('a'),
      latest: '->run-1',
      'run-1/up': '->..',
      'run-1/self.jsonl': '->.',
      '..2026/b.jsonl': row('b'),
      data: '->..2026',
      again: '->..2026',
    })
    expect(await names(path)).toEqual({
      names: ['again/b.jsonl', 'run-1/a.jsonl'],
      documents: 2,
      leftOut: [
        '3 : a link to files that are also found by another name',
        '1 .jsonl: a link to files that are also found by another name',
      ],
    })
  })

  test('that form a cycle through a followed root end', async () => {
    const path = tree({
      'in/a.jsonl': row('a'),
      'in/more': '->../disk',
      'disk/b.jsonl': row('b'),
      'disk/back': '->../in',
    })
    expect(await names(join(path, 'in'), [path])).toMatchObject({ names: ['a.jsonl', 'more/b.jsonl'], documents: 2 })
  })

  test('that are broken are reported', async () => {
    await expect(names(tree({ 'a.jsonl': row('a'), 'b.jsonl': '->missing' }))).rejects.toThrow(/cannot read .*b\.jsonl/)
    expect((await names(tree({ 'a.jsonl': row('a'), notes: '->missing' }))).leftOut).toEqual(['1 : no name of rows'])
  })

  test('of a snapshot in the Hugging Face cache are followed within its repository, and keep their folders', async () => {
    const path = tree({
      'datasets--o--n/blobs/aaa': row('a'),
      'datasets--o--n/blobs/bbb': row('b'),
      'datasets--o--n/snapshots/1/en/train-0.jsonl': '->../../../blobs/aaa',
      'datasets--o--n/snapshots/1/de/train-0.jsonl': '->../../../blobs/bbb',
    })
    const wanted = { names: ['de/train-0.jsonl', 'en/train-0.jsonl'], documents: 2, leftOut: [] }
    expect(await names(join(path, 'datasets--o--n/snapshots/1'))).toEqual(wanted)
    const all = await names(join(path, 'datasets--o--n'))
    expect(all).toMatchObject({ names: wanted.names.map((name) => `snapshots/1/${name}`), leftOut: [] })
  })
})

test('an xz file is an error if given by its path or named like rows', async () => {
  const xz = Buffer.from('\xfd7zXZ\0', 'latin1')
  const path = folder({ 'a.xz': xz, 'b.jsonl': xz })
  await expect(names(join(path, 'a.xz'))).rejects.toThrow(/a\.xz is compressed with xz/)
  await expect(names(path)).rejects.toThrow(/b\.jsonl is compressed with xz/)
  cpSync(join(path, 'a.xz'), join(path, 'c.jsonl'))
  expect(readFileSync(join(path, 'c.jsonl'))).toEqual(xz)
})

test.each([
  ['a.jsonl.gz', '.jsonl.gz'],
  ['d/part-0.JSONL.xz', '.jsonl.xz'],
  ['x.tar.gz', '.tar.gz'],
  ['README', ''],
  ['v1.2/README', ''],
  ['a.gz', '.gz'],
])('the extension of %s is %s', (name, extension) => {
  expect(extensionOf(name)).toBe(extension)
})

test.each([
  ['a.Parquet', 'rows'],
  ['sub/a.json.zst', 'rows'],
  ['a.jsonl.tmp', 'other'],
  ['a.jsonl.xz', 'other'],
  ['~a.jsonl', 'temporary'],
  ['_temporary/a.jsonl', 'temporary'],
  ['_temporary_notes.jsonl', 'rows'],
  ['d/.a.jsonl', 'hidden'],
])('%s stands as %s', (name, standing) => {
  expect(standingOf(name)).toBe(standing)
})
