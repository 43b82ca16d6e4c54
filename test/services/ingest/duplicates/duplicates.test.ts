import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { deduplicate } from '../../../../services/ingest/duplicates/command.ts'
import { DuplicateIndex } from '../../../../services/ingest/duplicates/index.ts'
import { bandKeys, signatureOf, similarity } from '../../../../services/ingest/duplicates/minhash.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-duplicates-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Words that no two numbers share, so that texts are as alike as the numbers they are made of. */
const prose = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `word${from + i}`).join(' ')

describe('signatures', () => {
  it('estimate the Jaccard similarity of the sets of shingles', () => {
    const whole = signatureOf(prose(0, 1012))!
    // 1,000 shingles against 1,000 of which 500 are the same: 500 / 1,500.
    expect(similarity(whole, signatureOf(prose(500, 1512))!)).toBeCloseTo(1 / 3, 0.8)
    expect(similarity(whole, signatureOf(prose(2000, 3012))!)).toBe(0)
    expect(similarity(whole, whole)).toBe(1)
  })

  it('do not see case, punctuation or line breaks', () => {
    const a = signatureOf('The quick, brown fox\njumps over the lazy dog.')!
    expect(signatureOf('the quick brown fox jumps over the LAZY dog')).toEqual(a)
    expect(bandKeys(a).every(Number.isSafeInteger)).toBe(true)
  })

  it.each([[''], [' \n'], ['!!! --- ???']])('are missing for %j, which has no words', (text) => {
    expect(signatureOf(text)).toBeUndefined()
  })
})

describe('the index of duplicates', () => {
  const at = (line: number) => ({ file: 0, line })

  it('keeps the first of exact duplicates, and of near ones where they are asked for', () => {
    const near = `${prose(0, 600)} end`
    for (const nearSimilarity of [undefined, 0.8]) {
      const index = new DuplicateIndex({ nearSimilarity })
      expect(index.add(prose(0, 600), at(0))).toBeUndefined()
      expect(index.add(prose(0, 600), at(1))).toEqual({ reason: 'exact-duplicate', of: at(0), similarity: 1 })
      expect(index.add(prose(1000, 1600), at(2))).toBeUndefined()
      const found = index.add(near, at(3))
      if (nearSimilarity === undefined) expect(found).toBeUndefined()
      else expect(found).toMatchObject({ reason: 'near-duplicate', of: at(0), similarity: expect.closeTo(1, 1) })
    }
  })

  it('keeps texts that share less than what is asked for', () => {
    const index = new DuplicateIndex({ nearSimilarity: 0.8 })
    index.add(prose(0, 600), at(0))
    expect(index.add(prose(200, 800), at(1))).toBeUndefined()
  })

  it.each([['', '\ud800', '\u0000'.repeat(100), 'x'.repeat(100_000)]])('takes any text', (...texts) => {
    const index = new DuplicateIndex({ nearSimilarity: 0.8 })
    for (const [line, text] of texts.entries()) expect(index.add(text, at(line))).toBeUndefined()
    for (const [line, text] of texts.entries()) expect(index.add(text, at(9))).toMatchObject({ of: at(line) })
  })
})

describe('deduplicating files', () => {
  it('passes on the other rows as they are, and says of each that is left out why', async () => {
    const [first, second] = [join(folder, 'a.jsonl'), join(folder, 'b.jsonl.gz')]
    const row = (text: string, id: number) => JSON.stringify({ text, meta: { id } })
    const rows = [row('one', 1), 'no json', row(prose(0, 600), 2)]
    writeFileSync(first, `${rows.join('\n')}\n`)
    writeFileSync(second, gzipSync(`${row('one', 3)}\n${row(`${prose(0, 600)} end`, 4)}\n${row('two', 5)}`))
    const kept: string[] = []
    const excluded: string[] = []
    const counts = await deduplicate(
      [first, second],
      { nearSimilarity: 0.8 },
      async (text) => void kept.push(text),
      async (text) => void excluded.push(text),
    )
    expect(counts).toEqual({ rows: 6, kept: 4, exact: 1, near: 1 })
    expect(kept.join('')).toBe(`${[...rows, row('two', 5)].join('\n')}\n`)
    expect(
      excluded
        .join('')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      {
        file: second,
        line: 0,
        reason: 'exact-duplicate',
        of: { file: first, line: 0 },
        similarity: 1,
        row: { text: 'one', meta: { id: 3 } },
      },
      expect.objectContaining({ file: second, line: 1, reason: 'near-duplicate', of: { file: first, line: 2 } }),
    ])
  })

  it('names a file that breaks off', async () => {
    const whole = join(folder, 'whole.jsonl.gz')
    writeFileSync(whole, gzipSync(`${JSON.stringify({ text: prose(0, 5000) })}\n`))
    const cut = join(folder, 'cut.jsonl.gz')
    writeFileSync(cut, readFileSync(whole).subarray(0, -20))
    const nowhere = async () => {}
    await expect(deduplicate([cut], { nearSimilarity: undefined }, nowhere, nowhere)).rejects.toMatchObject({
      code: 'BAD_DATA',
      message: expect.stringContaining('cut.jsonl.gz'),
    })
  })
})
