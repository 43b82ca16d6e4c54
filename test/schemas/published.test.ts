import { describe, expect, test } from 'vitest'
import { fromGoldenJson, toGoldenJson } from '../../deploy/tools/golden-json.ts'
import { incompatibilities } from '../../deploy/tools/publish-schemas.ts'
import { publishedVersions, readGolden } from '../../deploy/tools/published.ts'
import { int, string, u64 } from '../../schemas/field.ts'
import { allRecords, asDocumentId, Label, topicNamed } from '../../schemas/index.ts'
import { record } from '../../schemas/record.ts'
import { avroType, forAvsc, withColumns } from '../../services/runtime/avro.ts'

const versions = publishedVersions()
const golden = readGolden()
const lastOf = (name: string) => versions.filter((version) => version.record === name).at(-1)

describe.each(allRecords.map((found) => [found.name, found] as const))('%s', (name, found) => {
  test('equals its published schema; if not, run: node deploy/tools/publish-schemas.ts', () => {
    expect(lastOf(name)?.schema).toEqual(found.avro)
  })

  test('reads data of every published version', () => {
    expect(incompatibilities(found, versions)).toEqual([])
  })

  test('still writes the golden bytes of its latest version', () => {
    const entries = golden[`${name}.v${lastOf(name)?.version}`]!
    expect(entries.length).toBeGreaterThan(1)
    for (const { value, body } of entries) {
      const checked = found.check.parse(withColumns(found, fromGoldenJson(value) as object))
      expect(avroType(found.avro).toBuffer(forAvsc(checked)).toString('hex')).toBe(body)
    }
  })

  test('still reads the golden bytes of every version', () => {
    const type = avroType(found.avro)
    for (const { version, schema } of versions.filter((other) => other.record === name)) {
      const resolver = type.createResolver(avroType(schema))
      for (const { value, body } of golden[`${name}.v${version}`]!) {
        const read = found.check.parse(withColumns(found, type.fromBuffer(Buffer.from(body, 'hex'), resolver)))
        // A later version may have more fields. Compared as golden JSON, in which -0 and NaN show.
        expect(toGoldenJson(read)).toMatchObject(value as object)
      }
    }
  })
})

test('a label is encoded as the Avro specification says', () => {
  // Zigzag: n >= 0 is 2n, n < 0 is -2n - 1; then 7 bits a byte, lowest first, the top bit set on all but the last.
  const body = [
    // docId 2^63 travels as -2^63, zigzag 2^64 - 1: 64 bits, nine bytes of seven and one bit more.
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    // actor: length 2 as 4, then UTF-8 of 'ä'.
    [0x04, 0xc3, 0xa4],
    // subcategory 100: zigzag 200 = 0b1_1001000.
    [0xc8, 0x01],
    // score -0.5: IEEE 754 is 0xbfe0000000000000, little-endian.
    [0, 0, 0, 0, 0, 0, 0xe0, 0xbf],
    // tokens 64: zigzag 128.
    [0x80, 0x01],
    // version '': length 0.
    [0x00],
  ].flat()
  const label: Label = {
    docId: asDocumentId(2n ** 63n),
    actor: 'ä',
    subcategory: 100,
    score: -0.5,
    tokens: 64,
    version: '',
  }
  expect([...avroType(Label.avro).toBuffer(label)]).toEqual(body)
  expect(avroType(Label.avro).fromBuffer(Buffer.from(body))).toEqual(label)
})

describe('changes in the next version of a record', () => {
  const before = record('Thing', '', { id: u64, name: string })
  const published = [{ record: 'Thing', version: 1, schema: before.avro }]

  test.each([
    ['a new field with a default', record('Thing', '', { id: u64, name: string, size: { ...int, default: 0 } })],
    ['a field that is no longer read', record('Thing', '', { id: u64 })],
  ])('%s is compatible', (_what, after) => {
    expect(incompatibilities(after, published)).toEqual([])
  })

  test.each([
    ['a new field without a default', record('Thing', '', { id: u64, name: string, size: int })],
    ['another type', record('Thing', '', { id: string, name: string })],
    ['another name', record('Thing', '', { id: u64, title: string })],
  ])('%s is refused, with the version that could not be read', (_what, after) => {
    expect(incompatibilities(after, published)).toEqual([expect.stringMatching(/^Thing cannot read its version 1: /)])
  })
})

test('a topic is recognized by its name', () => {
  expect(topicNamed('winnow.documents')?.records.map(({ name }) => name)).toEqual(['Document'])
  expect(topicNamed('winnow.labels.my.actor')?.name).toBe('winnow.labels.my.actor')
  expect(topicNamed('winnow.run.a.b.console-state')?.records).toHaveLength(5)
  expect(topicNamed('winnow.run.a.other')).toBeUndefined()
  expect(topicNamed('else')).toBeUndefined()
})
