import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { locate } from '../../../../services/labeler/training/corpus.ts'
import { fieldOf, kindOf, readAnnotations, truthOf } from '../../../../services/labeler/training/rows.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-annotations-'))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
function write(...lines: (object | string)[]): string {
  const file = join(folder, `${files++}.jsonl`)
  writeFileSync(file, lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''))
  return file
}
const row = (more: object) => ({ shard: 0, line: 0, ...more })

describe('the field that annotations are about', () => {
  test.each([
    ['the preferred one, where the first row has it', { quality: 2, topic: 'Sea' }, undefined, 'topic', 'topic'],
    ['the only one of the kind asked for', { quality: 2, topic: 'Sea' }, 'regression', undefined, 'quality'],
    ['the only one that can be meant', { topic: 'Sea', notes: ['a'] }, undefined, 'quality', 'topic'],
  ] as const)('is %s', async (_, fields, kind, preferred, field) => {
    expect(await fieldOf(write(row(fields)), kind, preferred)).toBe(field)
  })

  test('must be named if none or several qualify', async () => {
    const two = write(row({ quality: 2, length: 3 }))
    await expect(fieldOf(two, 'regression')).rejects.toThrow(
      `${two}: has 2 fields that could be meant: quality, length`,
    )
    await expect(fieldOf(write(row({ topic: 'Sea' })), 'regression')).rejects.toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    )
  })
})

describe('annotations', () => {
  test('are read in order, with place and value; the first value decides their type', async () => {
    const annotations = await readAnnotations(
      write(row({ topic: 'Sea' }), row({ shard: 1, line: 7, topic: 'Code' })),
      'topic',
    )
    expect(annotations).toEqual([
      { shard: 0, line: 0, value: 'Sea', fileLine: 0 },
      { shard: 1, line: 7, value: 'Code', fileLine: 1 },
    ])
    expect(kindOf(annotations)).toBe('classification')
    expect(kindOf(await readAnnotations(write(row({ quality: 0 })), 'quality'))).toBe('regression')
    expect(truthOf(annotations, ['Code', 'Sea'], 'f')).toEqual([1, 0])
    expect(truthOf([row({ value: 2.5, fileLine: 0 })] as never, undefined, 'f')).toEqual([2.5])
  })

  test.each([
    [['{'], ':1: is not JSON'],
    [[row({ topic: 'Sea' }), { shard: -1, line: 0, topic: 'Sea' }], ':2: '],
    [[row({ topic: 'Sea' }), row({})], ':2: has no field topic'],
    [[], ': has no annotation'],
  ])('that cannot be parsed are named with file and line: %j', async (lines, message) => {
    const file = write(...lines)
    await expect(readAnnotations(file, 'topic')).rejects.toThrow(`${file}${message}`)
    await expect(readAnnotations(file, 'topic')).rejects.toThrow(expect.objectContaining({ code: 'BAD_DATA' }))
  })

  test('of an unknown class or that are not numbers are named, and so is a missing file', async () => {
    const annotations = await readAnnotations(write(row({ topic: 'Sea' }), row({ topic: 'Sky' })), 'topic')
    expect(() => truthOf(annotations, ['Sea'], 'f')).toThrow('f:2: "Sky" is not one of Sea')
    expect(() => truthOf(annotations, undefined, 'f')).toThrow('f:1: "Sea" is not a finite number')
    await expect(readAnnotations(join(folder, 'none'), 'topic')).rejects.toThrow(/cannot read .*none/)
  })

  test.each([
    ['gzip', gzipSync],
    ['Zstandard', zstdCompressSync],
    ['a byte order mark', (text: Buffer) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), text])],
    ['blank lines and Windows line ends', (text: Buffer) => Buffer.from(`${text}`.replaceAll('\n', '\r\n\r\n'))],
  ])('are read as ingest reads rows: %s', async (_, packed) => {
    const file = write(row({ topic: 'Sea' }), row({ line: 1, topic: 'Code' }))
    writeFileSync(file, packed(readFileSync(file)))
    expect(await fieldOf(file, 'classification')).toBe('topic')
    expect((await readAnnotations(file, 'topic')).map(({ line, value }) => [line, value])).toEqual([
      [0, 'Sea'],
      [1, 'Code'],
    ])
  })

  test('are resolved to document numbers across all files; one beyond the end of its file is named', () => {
    const corpus = { shards: Uint32Array.of(0, 0, 0, 1, 1), lines: Uint32Array.of(0, 1, 2, 0, 1) }
    const at = (shard: number, line: number, fileLine = 0) => ({ shard, line, value: 1, fileLine })
    expect(locate([at(0, 2), at(1, 0), at(1, 1)], corpus, 'f')).toEqual([2, 3, 4])
    for (const [shard, line] of [
      [0, 3],
      [1, 2],
      [2, 0],
    ] as const)
      expect(() => locate([at(0, 0), at(shard, line, 1)], corpus, 'f')).toThrow(
        `f:2: names shard ${shard}, line ${line}, which the corpus does not have`,
      )
  })
})
