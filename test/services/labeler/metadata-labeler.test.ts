import { describe, expect, it } from 'vitest'
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

  it('takes a value that is itself a subcategory', async () => {
    expect(await label({ redpajama_set_name: 'Book' })).toEqual({ ok: true, subcategory: 1, score: 1 })
  })

  it('gives an unknown value no label, and names it and the known ones', async () => {
    expect(await label({ redpajama_set_name: 'RedPajamaTwitter' })).toEqual({
      ok: false,
      reason: 'unknown-domain',
      message: expect.stringMatching(/"RedPajamaTwitter".*ArXiv.*RedPajamaWikipedia/),
    })
  })

  it.each([[undefined], [null], ['text'], [{}], [{ redpajama_set_name: 3 }], [{ redpajama_set_name: null }], [[]]])(
    'gives metadata %j no label',
    async (meta) => {
      expect(await label(meta)).toMatchObject({ ok: false, reason: 'unknown-domain' })
    },
  )

  it('reads a configured path and mapping', async () => {
    const config = { path: 'source.name', mapping: { wiki: 'Wikipedia' } }
    expect(await label({ source: { name: 'wiki' } }, config)).toEqual({ ok: true, subcategory: 6, score: 1 })
    expect(await label({ source: 'wiki' }, config)).toMatchObject({ ok: false })
  })

  it('does not take inherited properties for values', async () => {
    expect(await label({}, { path: 'constructor.name', mapping: { Object: 'Book' } })).toMatchObject({ ok: false })
  })

  it('refuses a mapping to a subcategory that the actor does not have', async () => {
    await expect(make({ mapping: { x: 'Books' } })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      exitCode: 3,
      message: expect.stringContaining('"Books"'),
    })
  })

  it('has another version when the mapping or the subcategories differ, and the same when nothing does', async () => {
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
