import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { completeRun, readRunFile } from '../../../services/runs/run-file.ts'
import { parseRunConfig, runConfigJson } from '../../../topologies/run-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-run-file-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const inForce = new Map([
  ['quality', 'q1'],
  ['domain', 'd1'],
  ['topic', 't1'],
])

function fileOf(more: object = {}) {
  const file = join(folder, 'run.yaml')
  const run = {
    name: 'mine',
    selection: { seed: 1, budget: { documents: 10 } },
    updateSteps: 10,
    steps: 100,
    reference: { reward: 'r.jsonl', evaluation: '../e.jsonl', corpus: '/data/c.jsonl', moreRewards: ['m.jsonl'] },
    model: './graphs',
    checkpoints: 'checkpoints',
    ...more,
  }
  writeFileSync(file, JSON.stringify(run))
  return readRunFile('run.yaml', folder)
}

test('omitted labeler versions default to those in force and are recorded; given ones are kept', () => {
  expect(completeRun(fileOf(), inForce).labelers).toEqual({ quality: 'q1', domain: 'd1', topic: 't1' })
  expect(completeRun(fileOf({ labelers: { topic: 'other' } }), inForce).labelers).toEqual({
    ...{ quality: 'q1', domain: 'd1' },
    topic: 'other',
  })
  const own = { seed: 1, budget: { documents: 1 }, actors: { topic: {} } }
  expect(completeRun(fileOf({ selection: own }), inForce).labelers).toEqual({ topic: 't1' })
})

test('paths are relative to the file’s folder and recorded as absolute, and the record parses to itself', () => {
  const run = completeRun(fileOf(), inForce)
  expect(run).toMatchObject({
    model: join(folder, 'graphs'),
    checkpoints: join(folder, 'checkpoints'),
    reference: {
      reward: join(folder, 'r.jsonl'),
      evaluation: join(folder, '..', 'e.jsonl'),
      corpus: '/data/c.jsonl',
      moreRewards: [join(folder, 'm.jsonl')],
    },
  })
  expect(parseRunConfig(JSON.parse(runConfigJson(run)))).toEqual(run)
  expect(completeRun(fileOf({ model: 'shipped:llama-64x2' }), inForce).model).toBe('shipped:llama-64x2')
})

test.each([
  [
    'an actor that nobody labels',
    { selection: { seed: 1, budget: { documents: 1 }, actors: { tone: { subcategories: ['a'] } } } },
    'labelers.tone: names no labeler version',
  ],
  ['labelers that are no list', { labelers: 'x1' }, 'labelers'],
  ['a version that cannot be one', { labelers: { topic: 'no such!' } }, 'labelers.topic'],
])('%s is refused, naming file and place', (_what, more, part) => {
  const work = () => completeRun(fileOf(more), inForce)
  expect(work).toThrow(`${join(folder, 'run.yaml')}: `)
  expect(work).toThrow(part)
})

test('an address where a path of this machine has to be is refused by its key', () => {
  expect(() => fileOf({ model: 'gs://b/m' })).toThrow('model is the address gs://b/m, and has to be on this machine')
})

test('checkpoints may be an address that can be written to, which is recorded as it is', () => {
  for (const checkpoints of ['s3://b/c', 'gs://b'])
    expect(completeRun(fileOf({ checkpoints }), inForce).checkpoints).toBe(checkpoints)
  for (const checkpoints of ['https://u:secret@h/c?key=secret', 'hf://datasets/o/n', 'ftp://h/c']) {
    const work = () => fileOf({ checkpoints })
    expect(work).toThrow(/checkpoints is the address .*, and nothing can be stored there/)
    expect(work).not.toThrow(/secret/)
  }
})
