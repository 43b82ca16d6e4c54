import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { WinnowError } from '../../../services/runtime/errors.ts'
import { simulate } from '../../../services/simulate/simulate.ts'
import { jsonLines, SimulationFolder, silent } from './folder.ts'

const actors = { a: { subcategories: ['x', 'y'], eta: 0.5 } }
const config = { seed: 7, actors, budget: { documents: 2 } }
const document = (docId: string, label: number, tokens = 10) => ({ docId, tokens, labels: { a: label } })
const labels = jsonLines([document('1', 0), document('2', 1), document('18446744073709551615', 1)])
const reward = (round: number, docId: string, value: number) => ({ round, actor: 'a', docId, reward: value })

async function failure(run: Promise<unknown>): Promise<WinnowError> {
  const thrown = await run.catch((error: unknown) => error)
  expect(thrown).toBeInstanceOf(WinnowError)
  return thrown as WinnowError
}

describe('a simulation', () => {
  test('writes the rounds, with hand-computed weights and theta', async () => {
    using folder = new SimulationFolder()
    const rewards = jsonLines([reward(3, '2', 1), reward(3, '18446744073709551615', 3), reward(3, '2', 100)])
    await folder.run({ labels, rewards, config })
    // Round 3: R^y = (1 + 3) / 2 = 2, w^y = 0.5 * 0.5 + 0.5 * 2 = 1.25; R_a = 1.25 * 2 = 2.5 = R, so theta stays 1.
    expect(folder.records('rounds.jsonl')).toEqual([
      { round: 0, weights: { a: [0.5, 0.5] }, theta: { a: 1 }, actorRewards: { a: null }, documents: 2, tokens: 20 },
      { round: 3, weights: { a: [0.5, 1.25] }, theta: { a: 1 }, actorRewards: { a: 2.5 }, documents: 2, tokens: 20 },
    ])
    expect(folder.ids(3).sort()).toEqual(['18446744073709551615', '2'])
    expect(folder.ids(0)).toHaveLength(2)
    expect(folder.records('rejected.jsonl').map(({ reason, line }) => [reason, line])).toEqual([['duplicate', 3]])
    expect(readdirSync(folder.out).sort()).toEqual([
      'rejected.jsonl',
      'rounds.jsonl',
      'selection-0.txt',
      'selection-3.txt',
    ])
  })

  test('an empty corpus and an empty log make an empty selection of round 0', async () => {
    using folder = new SimulationFolder()
    const summary = await folder.run({ labels: '', rewards: '', config: { seed: 1, budget: { tokens: 5 } } })
    expect(summary).toEqual({ documents: 0, rounds: [{ round: 0, documents: 0, tokens: 0 }], rejected: {} })
    expect(folder.text('selection-0.txt')).toBe('')
  })

  test('reads byte order marks, Windows line breaks, blank lines and a last line without a break', async () => {
    using folder = new SimulationFolder()
    const windows = `\ufeff${labels.trimEnd().replaceAll('\n', '\r\n\r\n  \r\n')}`
    const summary = await folder.run({ labels: windows, rewards: ' \n\t\n', config })
    expect(summary).toMatchObject({ documents: 3, rejected: {} })
  })

  test('a seed beyond 2^53 in the file is taken digit by digit', async () => {
    using number = new SimulationFolder()
    using text = new SimulationFolder()
    const many = jsonLines(Array.from({ length: 50 }, (_, i) => document(String(i), 0)))
    await number.run({
      labels: many,
      rewards: '',
      config: '{"seed": 12345678901234567890, "actors": {"a": {"subcategories": ["x"]}}, "budget": {"documents": 10}}',
    })
    await text.run({
      labels: many,
      rewards: '',
      config: { seed: '12345678901234567890', actors: { a: { subcategories: ['x'] } }, budget: { documents: 10 } },
    })
    expect(number.ids(0)).toEqual(text.ids(0))
  })

  test('replaces an older result, and nothing else, in its folder', async () => {
    using folder = new SimulationFolder()
    await folder.run({ labels, rewards: jsonLines([reward(1, '1', 1), reward(2, '1', 1)]), config })
    writeFileSync(join(folder.out, 'notes.txt'), 'mine')
    writeFileSync(join(folder.out, 'selection-of-mine.txt'), 'mine')
    await folder.run({ labels, rewards: jsonLines([reward(1, '1', 1)]), config })
    const expected = [
      'notes.txt',
      'rejected.jsonl',
      'rounds.jsonl',
      'selection-0.txt',
      'selection-1.txt',
      'selection-of-mine.txt',
    ]
    expect(readdirSync(folder.out).sort()).toEqual(expected)
    expect(folder.records('rounds.jsonl')).toHaveLength(2)
  })
})

describe('rejected input', () => {
  test('labels: with file, line, reason and record', async () => {
    using folder = new SimulationFolder()
    const line = (fields: object) => JSON.stringify({ ...document('5', 0), ...fields })
    const cases: [text: string, reason: string][] = [
      ['{"docId": "1"', 'not-json'],
      ['[1]', 'not-an-object'],
      ['null', 'not-an-object'],
      ['{"docId": "5", "tokens": NaN, "labels": {"a": 0}}', 'not-finite'],
      ['{"docId": "5", "tokens": 1e999, "labels": {"a": 0}}', 'not-finite'],
      [line({ docId: 5 }), 'bad-id'],
      [line({ docId: '05' }), 'bad-id'],
      [line({ docId: '18446744073709551616' }), 'bad-id'],
      [line({ docId: undefined }), 'bad-id'],
      [line({ tokens: -1 }), 'bad-tokens'],
      [line({ tokens: 1.5 }), 'bad-tokens'],
      [line({ tokens: '5' }), 'bad-tokens'],
      [line({ tokens: undefined }), 'bad-tokens'],
      [line({ labels: undefined }), 'missing-label'],
      [line({ labels: {} }), 'missing-label'],
      [line({ labels: [0] }), 'bad-label'],
      [line({ labels: { a: 'x' } }), 'bad-label'],
      [line({ labels: { a: 0.5 } }), 'bad-label'],
      [line({ labels: { a: 2 } }), 'unknown-subcategory'],
      [line({ labels: { a: -1 } }), 'unknown-subcategory'],
      [line({ docId: '1', tokens: 99 }), 'duplicate'],
    ]
    // Labels of other actors and other keys are no reason.
    const fine = line({ docId: '6', labels: { a: 1, other: 'anything' }, more: true })
    const summary = await folder.run({
      labels: labels + cases.map(([text]) => `${text}\n`).join('') + fine,
      rewards: '',
      config,
    })
    const rejected = folder.records('rejected.jsonl')
    expect(rejected.map(({ reason, line }) => [reason, line])).toEqual(cases.map(([, reason], i) => [reason, i + 4]))
    expect(rejected[0]).toEqual({ file: folder.file('L.jsonl'), line: 4, reason: 'not-json', record: '{"docId": "1"' })
    expect(rejected.at(-1)?.record).toEqual({ ...document('1', 0), tokens: 99 })
    expect(summary.documents).toBe(4)
    expect(summary.rejected['bad-id']).toBe(4)
  })

  test('a label needs a usable score for each actor whose scores the strategy uses', async () => {
    using folder = new SimulationFolder()
    const strategy = { score: { kind: 'label', actor: 'a' } }
    const line = (scores: unknown) => `${JSON.stringify({ ...document('5', 0), scores })}\n`
    const cases: [text: string, reason: string][] = [
      [line(undefined), 'missing-score'],
      [line({}), 'missing-score'],
      [line({ a: null }), 'missing-score'],
      [line({ b: 1 }), 'missing-score'],
      [line([1]), 'bad-score'],
      [line({ a: '1' }), 'bad-score'],
      [line({ a: 2 ** 32 }), 'score-out-of-range'],
      [line({ a: -(2 ** 32) }), 'score-out-of-range'],
      ['{"docId": "5", "tokens": 1, "labels": {"a": 0}, "scores": {"a": NaN}}\n', 'not-finite'],
      ['{"docId": "5", "tokens": 1, "labels": {"a": 0}, "scores": {"a": 1e999}}\n', 'not-finite'],
    ]
    const good = line({ a: 0.5, b: 'of no interest' })
    const inputs = { labels: cases.map(([text]) => text).join('') + good, rewards: '' }
    const summary = await folder.run({ ...inputs, config: { ...config, strategy } })
    expect(folder.records('rejected.jsonl').map(({ reason }) => reason)).toEqual(cases.map(([, reason]) => reason))
    expect(summary.documents).toBe(1)
    using without = new SimulationFolder()
    expect((await without.run({ labels: line({ a: 'x' }), rewards: '', config })).documents).toBe(1)
  })

  test('a rejected record keeps digits that JavaScript numbers cannot hold', async () => {
    using folder = new SimulationFolder()
    await folder.run({
      labels: '{"docId": 18446744073709551615, "tokens": 1, "labels": {"a": 0}}',
      rewards: '',
      config,
    })
    expect(folder.text('rejected.jsonl')).toContain('"record":{"docId": 18446744073709551615,')
  })

  test('rewards are rejected, and the round they name still exists', async () => {
    using folder = new SimulationFolder()
    const line = (fields: object) => JSON.stringify({ ...reward(1, '1', 0.5), ...fields })
    const cases: [text: string, reason: string][] = [
      ['oops', 'not-json'],
      ['"1"', 'not-an-object'],
      [line({ round: 0 }), 'unknown-round'],
      [line({ round: -1 }), 'unknown-round'],
      [line({ round: 1.5 }), 'unknown-round'],
      [line({ round: '1' }), 'unknown-round'],
      [line({ round: undefined }), 'unknown-round'],
      [line({ round: 2, actor: 'b' }), 'unknown-actor'],
      [line({ round: 3, actor: undefined }), 'unknown-actor'],
      [line({ round: 4, docId: '4' }), 'unknown-document'],
      [line({ round: 5, docId: 1 }), 'bad-id'],
      ['{"round": 6, "actor": "a", "docId": "1", "reward": NaN}', 'not-finite'],
      ['{"round": 7, "actor": "a", "docId": "1", "reward": -Infinity}', 'not-finite'],
      ['{"round": 8, "actor": "a", "docId": "1", "reward": 1e999}', 'not-finite'],
      [line({ round: 9, reward: '0.5' }), 'bad-reward'],
      [line({ round: 10, reward: null }), 'bad-reward'],
      // What is in quotes is no number.
      ['{"round": 11, "actor": "NaN", "docId": "1", "reward": Infinit}', 'not-json'],
    ]
    await folder.run({ labels, rewards: cases.map(([text]) => `${text}\n`).join(''), config })
    expect(folder.records('rejected.jsonl').map(({ reason, line }) => [reason, line])).toEqual(
      cases.map(([, reason], i) => [reason, i + 1]),
    )
    expect(folder.records('rounds.jsonl').map(({ round }) => round)).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  test('a valid reward after a rejected one for the same document counts', async () => {
    using folder = new SimulationFolder()
    const rewards = `{"round": 1, "actor": "a", "docId": "1", "reward": NaN}\n${JSON.stringify(reward(1, '1', 3))}`
    await folder.run({ labels, rewards, config })
    // 0.5 * 0.5 + 0.5 * 3
    expect(folder.records('rounds.jsonl')[1].weights).toEqual({ a: [1.75, 0.5] })
  })

  test('positions are rejected', async () => {
    using folder = new SimulationFolder()
    const cases: [text: string, reason: string | null][] = [
      ['{"round": 0, "read": 1}', null],
      ['{"round": 1, "read": 0}', null],
      ['{"round": 0, "read": 2}', 'duplicate'],
      // A round that does not occur: ignored.
      ['{"round": 2, "read": 2}', null],
      ['{"round": -1, "read": 2}', 'unknown-round'],
      ['{"round": "1", "read": 2}', 'unknown-round'],
      ['{"round": 1, "read": -2}', 'bad-read'],
      ['{"round": 1, "read": 0.5}', 'bad-read'],
      ['{"round": 1}', 'bad-read'],
      ['{"round": 1, "read": Infinity}', 'not-finite'],
      ['{"round": 1, "read": 1e999}', 'not-finite'],
      ['1', 'not-an-object'],
    ]
    const positions = cases.map(([text]) => `${text}\n`).join('')
    await folder.run({ labels, rewards: jsonLines([reward(1, '1', 1)]), config, positions })
    const expected = cases.flatMap(([, reason], i) => (reason === null ? [] : [[reason, i + 1]]))
    expect(folder.records('rejected.jsonl').map(({ reason, line }) => [reason, line])).toEqual(expected)
  })
})

describe('a simulation is ended by', () => {
  test.each([
    ['a budget of 0', { ...config, budget: { documents: 0 } }, 'budget.documents'],
    ['an unknown key', { ...config, more: 1 }, 'more'],
    ['text that is not JSON', '{"seed": NaN}', 'C.json: is not JSON'],
  ])('%s: exit 3, and nothing is written', async (_, bad, named) => {
    using folder = new SimulationFolder()
    const error = await failure(folder.run({ labels, rewards: '', config: bad }))
    expect(error.exitCode).toBe(3)
    expect(error.message).toContain(named)
    expect(existsSync(folder.out)).toBe(false)
  })

  test('a missing file: it is named, and nothing is written', async () => {
    using folder = new SimulationFolder()
    await folder.run({ labels, rewards: '', config })
    const out = folder.file('other')
    const files = {
      labels: folder.file('L.jsonl'),
      rewards: folder.file('R.jsonl'),
      config: folder.file('C.json'),
      out,
    }
    for (const [name, exitCode] of [
      ['labels', 5],
      ['rewards', 5],
      ['config', 3],
      ['positions', 5],
    ] as const) {
      const error = await failure(simulate({ ...files, [name]: folder.file('missing') }, silent))
      expect(error.exitCode).toBe(exitCode)
      expect(error.message).toContain(folder.file('missing'))
    }
    expect((await failure(simulate({ ...files, labels: folder.path }, silent))).message).toContain('is a folder')
    expect(existsSync(out)).toBe(false)
  })

  test('a truncated compressed file: the older result stays', async () => {
    using folder = new SimulationFolder()
    await folder.run({ labels, rewards: '', config })
    const before = folder.text('rounds.jsonl')
    const truncated = gzipSync(labels.repeat(1000)).subarray(0, 100)
    const error = await failure(folder.run({ labels: truncated, rewards: '', config }, { labels: 'L.jsonl.gz' }))
    expect(error).toMatchObject({ code: 'BAD_DATA', exitCode: 5 })
    expect(folder.text('rounds.jsonl')).toBe(before)
    expect(readdirSync(folder.out).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test('weights that cannot be normalized: the error names actor and round', async () => {
    using folder = new SimulationFolder()
    const zero = { ...config, normalize: 'sum', actors: { a: { subcategories: ['x', 'y'], initialWeights: [1, -1] } } }
    const error = await failure(folder.run({ labels, rewards: jsonLines([reward(4, '9', 1)]), config: zero }))
    expect(error.code).toBe('NORMALIZATION')
    expect(error.message).toMatch(/round 4.*actor a/)
    expect(existsSync(folder.out)).toBe(false)
    const files = { labels: folder.file('L.jsonl'), rewards: folder.file('R.jsonl'), config: folder.file('C.json') }
    await failure(simulate({ ...files, out: folder.file('deep/er/out') }, silent))
    expect(existsSync(folder.file('deep'))).toBe(false)
  })

  test('an output folder that is a file', async () => {
    using folder = new SimulationFolder()
    writeFileSync(folder.out, '')
    expect((await failure(folder.run({ labels, rewards: '', config }))).exitCode).toBe(3)
  })

  test('an interruption: an existing output folder stays', async () => {
    using folder = new SimulationFolder()
    mkdirSync(folder.out)
    await folder.run({ labels, rewards: '', config })
    const files = { labels: folder.file('L.jsonl'), rewards: folder.file('R.jsonl'), config: folder.file('C.json') }
    const error = await failure(simulate({ ...files, out: folder.out, signal: AbortSignal.abort() }, silent))
    expect(error.exitCode).toBe(130)
    expect(folder.records('rounds.jsonl')).toHaveLength(1)
  })
})
