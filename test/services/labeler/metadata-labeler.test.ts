import { describe, expect, it } from 'vitest'
import { parseJson } from '../../../schemas/index.ts'
import { createLabeler, type LabelerConfigInput, labelerConfig } from '../../../services/labeler/labeler.ts'

const domain = {
  name: 'domain',
  subcategories: ['ArXiv', 'Book', 'C4', 'CommonCrawl', 'GitHub', 'StackExchange', 'Wikipedia'],
}

const make = (config: Partial<LabelerConfigInput> = {}, actor = domain) =>
  createLabeler(actor, labelerConfig.parse({ kind: 'metadata', ...config }), '/')
const label = async (meta: unknown, config: Partial<LabelerConfigInput> = {}) =>
  (await (await make(config)).label([{ text: '', meta }]))[0]

describe('the metadata labeler', () => {
  it("knows SlimPajama's sources without configuration", async () => {
    const names = [
      'RedPajamaArXiv',
      'RedPajamaBook',
      'RedPajamaC4',
      'RedPajamaCommonCrawl',
      'RedPajamaGithub',
      'RedPajamaStackExchange',
      'RedPajamaWikipedia',
    ]
    const results = await (await make()).label(names.map((name) => ({ text: '', meta: { redpajama_set_name: name } })))
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6].map((subcategory) => ({ ok: true, subcategory, score: 1 })))
  })

  it('accepts a value that is itself a subcategory', async () => {
    expect(await label({ redpajama_set_name: 'Book' })).toEqual({ ok: true, subcategory: 1, score: 1 })
  })

  it('gives an unknown value no label, and names it and the known ones', async () => {
    expect(await label({ redpajama_set_name: 'RedPajamaTwitter' })).toEqual({
      ok: false,
      reason: 'unknown-domain',
      message: expect.stringMatching(/"RedPajamaTwitter".*ArXiv.*RedPajamaWikipedia/),
    })
  })

  it.each([
    [undefined],
    [null],
    ['text'],
    [{}],
    [{ redpajama_set_name: 3 }],
    [{ redpajama_set_name: {} }],
    [{ redpajama_set_name: null }],
    [[]],
  ])('gives metadata %j no label', async (meta) => {
    expect(await label(meta)).toMatchObject({ ok: false, reason: 'unknown-domain' })
  })

  it('reads a configured path and mapping', async () => {
    const config = { path: 'source.name', mapping: { wiki: 'Wikipedia' } }
    expect(await label({ source: { name: 'wiki' } }, config)).toEqual({ ok: true, subcategory: 6, score: 1 })
    expect(await label({ source: 'wiki' }, config)).toMatchObject({ ok: false })
  })

  it.each([
    ['in the row', 'source', { source: 'wiki', id: 1, metadata: {} }],
    ['beside meta', 'source', { meta: { url: 'x' }, source: 'wiki' }],
    ['beside a meta that is null', 'source', { meta: null, source: 'wiki' }],
    ['in meta', 'source', { meta: { source: 'wiki' } }],
    ['in meta, by its whole path', 'meta.source', { meta: { source: 'wiki' }, source: 'x' }],
    ['in meta, where the row has null', 'source', { meta: { source: 'wiki' }, source: null }],
    ['in the row, where meta has another', 'source', { meta: { source: 'x' }, source: 'wiki' }],
    ['in a meta that is a JSON string', 'source', { meta: '{"source": "wiki"}' }],
    ['in a meta that is a JSON string, by its whole path', 'meta.source', { meta: '{"source": "wiki", "x": NaN}' }],
    ['in another JSON string', 'signals.kinds.0', { signals: '{"kinds": ["wiki"]}' }],
    ['under a name with dots', 'warc.source', { meta: { 'warc.source': 'wiki' } }],
  ])('finds a value %s', async (_, path, row) => {
    expect(await label(row, { path, mapping: { wiki: 'Wikipedia' } })).toEqual({ ok: true, subcategory: 6, score: 1 })
  })

  it('names the row’s fields if the value is missing', async () => {
    expect(await label({ meta: 'no JSON', url: 'x' }, { path: 'source' })).toMatchObject({
      message: expect.stringMatching(/^source is missing \(the row has: meta, url\)/),
    })
  })

  it.each([
    ['3', 3],
    ['3', '3'],
    ['3.0', 3],
    ['2.5', 2.5],
    ['true', true],
    ['18446744073709551615', parseJson('[18446744073709551615]')],
  ])('takes the value %s for %j', async (name, value) => {
    const actor = { name: 'score', subcategories: ['0', name, 'false'] }
    const x = Array.isArray(value) ? value[0] : value
    const [result] = await (await make({ path: 'x' }, actor)).label([{ text: '', meta: { x } }])
    expect(result).toEqual({ ok: true, subcategory: 1, score: 1 })
  })

  describe('by ranges', () => {
    const actor = { name: 'edu', subcategories: ['low', 'high', 'best'] }
    const ranges = { low: { to: 2.5 }, high: { from: 2.5, to: 4 }, best: { from: 4 } }
    const score = async (value: unknown, given: unknown = ranges) =>
      (
        await (
          await make({ path: 'score', ranges: given } as Partial<LabelerConfigInput>, actor)
        ).label([{ text: '', meta: { score: value } }])
      )[0]

    it.each([
      [-1, 0],
      [2.4999, 0],
      [2.5, 1],
      ['3.1', 1],
      [4, 2],
      [1e9, 2],
    ])('%j is subcategory %i, with the number as its score', async (value, subcategory) => {
      expect(await score(value)).toEqual({ ok: true, subcategory, score: Number(value) })
    })

    it.each([[true], [null], ['high score'], [''], ['Infinity']])('%j is in none', async (value) => {
      expect(await score(value)).toMatchObject({
        ok: false,
        message: expect.stringContaining('low [-∞, 2.5), high [2.5, 4), best [4, ∞)'),
      })
    })

    it('a value in a gap between ranges gets no label', async () => {
      expect(await score(2, { low: { to: 2 }, best: { from: 3 } })).toMatchObject({ ok: false })
    })

    it.each([
      ['overlap', { low: { to: 3 }, high: { from: 2.5 } }],
      ['"worst"', { worst: { to: 3 } }],
    ])('are refused if one is %s', async (word, given) => {
      await expect(score(1, given)).rejects.toMatchObject({
        code: 'CONFIGURATION',
        message: expect.stringContaining(word),
      })
    })

    it.each([[{ low: {} }], [{ low: { from: 3, to: 3 } }], [{ low: { above: 3 } }]])('%j is not a range', (given) => {
      expect(labelerConfig.safeParse({ kind: 'metadata', ranges: given }).success).toBe(false)
    })
  })

  it('does not mistake inherited properties for values', async () => {
    expect(await label({}, { path: 'constructor.name', mapping: { Object: 'Book' } })).toMatchObject({ ok: false })
  })

  it('may map one subcategory’s name to another subcategory', async () => {
    const mapping = { ArXiv: 'Book', Book: 'ArXiv', x: 'ArXiv' }
    const of = async (value: string) => await label({ redpajama_set_name: value }, { mapping })
    expect(await Promise.all(['ArXiv', 'Book', 'x', 'C4'].map(of))).toMatchObject(
      [1, 0, 0, 2].map((subcategory) => ({ subcategory })),
    )
  })

  it('refuses a mapping to a subcategory that the actor does not have', async () => {
    await expect(make({ mapping: { x: 'Books' } })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      exitCode: 3,
      message: expect.stringContaining('"Books"'),
    })
  })

  it('changes its version if mapping or subcategories change, and only then', async () => {
    const version = async (...args: Parameters<typeof make>) => (await make(...args)).version
    expect(await version()).toBe(await version())
    expect(await version({ mapping: { a: 'Book' } })).not.toBe(await version({ mapping: { a: 'C4' } }))
    expect(await version({}, { ...domain, subcategories: domain.subcategories.toReversed() })).not.toBe(await version())
  })
})

describe("a labeler's configuration", () => {
  it('is refused with an unknown key or kind', () => {
    expect(labelerConfig.safeParse({ kind: 'metadata', field: 'x' }).success).toBe(false)
    expect(labelerConfig.safeParse({ kind: 'fasttext' }).success).toBe(false)
  })
})
