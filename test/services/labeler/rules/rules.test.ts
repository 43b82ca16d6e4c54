import { describe, expect, it } from 'vitest'
import { createLabeler, type LabelerConfigInput, labelerConfig } from '../../../../services/labeler/labeler.ts'
import { firstBreach, ruleNames } from '../../../../services/labeler/rules/gopher.ts'
import { wordsOf } from '../../../../services/labeler/rules/words.ts'
import { prose } from './prose.ts'

/** 200 different words with enough stop words: passes every rule. */
const good = Array.from(
  { length: 10 },
  (_, i) =>
    `The ${'abcdefghij'[i]}alpha and beta${i}x of gamma${i} have delta${i} that epsilon${i} with zeta${i} to eta${i} theta${i} iota${i} kappa${i}.`,
).join('\n')
const words = (count: number, word: (i: number) => string) => Array.from({ length: count }, (_, i) => word(i)).join(' ')
const english = () => true
const letters = (i: number) => [...`${1000 + i}`].map((digit) => 'abcdefghij'[Number(digit)]).join('')

describe("Gopher's rules", () => {
  it('pass plain prose', () => {
    expect(firstBreach(good, english)).toBeUndefined()
  })

  it.each([
    ['too-few-words', 'Hello world, and goodbye.'],
    ['too-many-words', words(100_001, () => 'word')],
    ['short-words', words(100, (i) => 'ab'[i % 2]!)],
    ['long-words', words(100, (i) => `${letters(i)}extraordinarily`)],
    ['hashes', `${good} ${'# '.repeat(30)}`],
    ['ellipses', `${good} ${'... '.repeat(30)}`],
    ['bullet-lines', good.replaceAll(/^/gm, '- ')],
    ['ellipsis-lines', good.replaceAll(/\.$/gm, '...')],
    ['words-without-letters', `${good} ${words(100, (i) => `${10_000 + i}`)}`],
    ['few-stop-words', words(100, (i) => letters(i))],
    ['duplicate-lines', `${good}\n${'Read more here today\n'.repeat(10)}`],
    ['duplicate-line-characters', `${good}\n${`${good.split('\n')[0]}\n`.repeat(4)}`],
    ['top-2-gram', words(300, (i) => (i % 3 === 0 ? letters(i) : 'that have'))],
    ['repeated-5-grams', `${good}\n${good.split('\n').slice(0, 3).join(' ')}`],
  ])('find %s', (rule, text) => {
    expect(ruleNames).toContain(rule)
    expect(firstBreach(text, english)?.rule).toBe(rule)
  })
})

const inputs = (texts: string[]) => texts.map((text) => ({ text, meta: {} }))
const labeler = (config: LabelerConfigInput, subcategories: string[]) =>
  createLabeler({ name: 'gate', subcategories }, labelerConfig.parse(config), '/')

describe("Gopher's rules in other languages", () => {
  it.each(Object.entries(prose))('pass good %s', async (_, text) => {
    const made = await labeler({ kind: 'rules', verdict: 'exclude' }, ['passed'])
    expect(await made.label(inputs([text]))).toEqual([{ ok: true, subcategory: 0, score: 1 }])
  })

  it.each([
    ['too-few-words', prose.Chinese.slice(0, 40)],
    ['repeated-5-grams', `${prose.Chinese}${prose.Chinese.slice(0, 70)}`],
    ['top-2-gram', `${prose.Chinese}${'点击这里'.repeat(20)}`],
    ['duplicate-lines', `Home | About\n${'Login | Cart\n'.repeat(3)}${prose.Chinese}`],
    ['few-stop-words', words(100, (i) => `casino${letters(i)}`)],
    ['short-words', words(100, (i) => 'ab'[i % 2]!)],
  ])('find %s where it is', async (rule, text) => {
    const made = await labeler({ kind: 'rules', verdict: 'exclude' }, ['passed'])
    expect(await made.label(inputs([text]))).toMatchObject([{ ok: false, reason: `rule-${rule}` }])
  })

  it('count words of text without spaces using a dictionary', () => {
    expect(wordsOf('人们在这里建造房屋，GPU 开垦土地。')).toEqual({
      words: ['人们', '在', '这里', '建造', '房屋', 'GPU', '开垦', '土地'],
      unspaced: true,
    })
    expect(wordsOf("It isn't 漢字 alone")).toMatchObject({ unspaced: false })
    expect(wordsOf('这座城市'.repeat(20_000)).words.length).toBeGreaterThan(20_000)
  })
})

const bad = ['', '\ud800 \udc00', '\u0000\u0001\uffff'.repeat(1000), 'x'.repeat(100_000), 'word '.repeat(2_000_000)]

describe('the rules labeler', () => {
  it('labels with the verdict, the rule broken or “passed”, and the measured value', async () => {
    const made = await labeler({ kind: 'rules' }, ['passed', 'too-few-words', 'failed'])
    expect(await made.label(inputs([good, 'Two words', words(100, (i) => 'ab'[i % 2]!)]))).toEqual([
      { ok: true, subcategory: 0, score: 1 },
      { ok: true, subcategory: 1, score: 2 },
      { ok: true, subcategory: 2, score: 1 },
    ])
  })

  it('gives an excluded document a reason for dead letters instead of a label', async () => {
    const made = await labeler({ kind: 'rules', verdict: 'exclude' }, ['passed'])
    expect(await made.label(inputs(['Two words', good]))).toEqual([
      { ok: false, reason: 'rule-too-few-words', message: 'The measured value is 2.' },
      { ok: true, subcategory: 0, score: 1 },
    ])
  })

  it('judges any text', async () => {
    const made = await labeler({ kind: 'rules' }, ['passed', 'failed'])
    expect((await made.label(inputs(bad))).every((result) => result.ok && result.subcategory === 1)).toBe(true)
  })

  it.each([[['passed']], [['failed']], [['passed', 'failed', 'nonsense']]])(
    'refuses the subcategories %j',
    async (given) => {
      await expect(labeler({ kind: 'rules' }, given)).rejects.toMatchObject({ code: 'CONFIGURATION' })
    },
  )
})

describe('the language labeler', () => {
  const texts = [
    'The committee will meet again on Thursday to discuss what should be done about the bridge.',
    'Der Ausschuss wird am Donnerstag wieder zusammentreten, um über die Brücke zu beraten.',
    'Комитет снова соберётся в четверг, чтобы обсудить, что делать с мостом.',
    '12345 67890',
  ]

  it('detects the configured languages, and labels all others “other”', async () => {
    const made = await labeler({ kind: 'language' }, ['en', 'de', 'other'])
    const results = await made.label(inputs(texts))
    expect(results.map((result) => result.ok && result.subcategory)).toEqual([0, 1, 2, 2])
    expect(results[0]).toMatchObject({ score: expect.any(Number) })
  })

  it('gives an excluded document a reason for dead letters instead of a label', async () => {
    const made = await labeler({ kind: 'language', verdict: 'exclude' }, ['en'])
    expect(await made.label(inputs(texts.slice(0, 2)))).toEqual([
      { ok: true, subcategory: 0, score: expect.any(Number) },
      { ok: false, reason: 'language', message: 'The language is de.' },
    ])
  })

  it('judges any text', async () => {
    const made = await labeler({ kind: 'language' }, ['en', 'other'])
    expect((await made.label(inputs(bad))).every(({ ok }) => ok)).toBe(true)
  })

  it.each([[['en']], [['other', 'english']]])('refuses the subcategories %j', async (given) => {
    await expect(labeler({ kind: 'language' }, given)).rejects.toMatchObject({ code: 'CONFIGURATION' })
  })
})
