import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { actorsOfFile } from '../../services/config/load.ts'
import { experiment } from '../../services/experiments/experiment.ts'
import { readPlan } from '../../services/experiments/plan.ts'
import type { CellResult } from '../../services/experiments/results.ts'
import { summaryText } from '../../services/experiments/summary-text.ts'
import { createLog } from '../../services/runtime/log.ts'
import { blocksFor, commandsIn } from '../support/documents.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { winnow } from './cli/winnow.ts'

const folder = temporaryFolder('experiment')
const lines = (name: string, count: number, textOf: (n: number) => string): string => {
  const rows = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ text: textOf(n), kind: n % 2 ? 'odd' : 'even' }),
  )
  writeFileSync(join(folder, name), `${rows.join('\n')}\n`)
  return name
}
const counting = (n: number) => Array.from({ length: 30 }, (_, i) => `number ${n + i}`).join(', ')
const telling = (n: number) => `Once upon a time there lived ${n} kings. `.repeat(6)

const task = {
  reward: lines('reward.jsonl', 4, (n) => telling(n + 100)),
  evaluation: lines('evaluation.jsonl', 4, (n) => telling(n + 200)),
}
writeFileSync(
  join(folder, 'plan.yaml'),
  JSON.stringify({
    corpus: {
      files: [lines('corpus.jsonl', 40, (n) => (n % 2 ? telling(n) : counting(n)))],
      other: lines('other.jsonl', 4, counting),
      tasks: { tales: task, again: task },
      actors: {
        kind: {
          subcategories: ['even', 'odd'],
          labeler: { kind: 'metadata', path: 'kind', mapping: { even: 'even', odd: 'odd' } },
        },
      },
    },
    references: { both: ['tales', 'again'] },
    model: 'shipped:llama-64x2',
    rounds: 2,
    samplesMax: 4,
    run: { sampleDocuments: 2, trainer: { batch: 2, context: 16, warmupSteps: 1 } },
    strategies: {
      random: { selection: { strategy: 'random' } },
      'random twice': { like: 'random', times: 2 },
      bounded: {
        selection: {
          firstSelection: 'weights',
          guards: { other: { bound: 0.02, from: 0, fall: 1, against: 'random' } },
        },
      },
      'multi-actor': { selection: { firstSelection: 'weights' } },
    },
    seeds: [1, 2],
    budgets: [4],
  }),
)

const run = (
  out: string,
  { signal = new AbortController().signal, onCell = () => {}, reportOnly = false, workers = 2 } = {},
) => {
  const plan = readPlan('plan.yaml', folder)
  if (plan.corpus === 'demo') throw new Error('not this one')
  const source = { ...plan.corpus, actors: actorsOfFile(plan.file, plan.corpus.actors) }
  const options = { out: join(folder, out), workers, log: createLog('test', 'silent'), reportOnly, onCell }
  return experiment(plan, source, options, signal)
}
/** What was found of each cell, but for how long it took. */
const found = (out: string) =>
  Object.fromEntries(
    readdirSync(join(folder, out, 'cells')).map((name) => {
      const { seconds, ...result } = JSON.parse(readFileSync(join(folder, out, 'cells', name), 'utf8'))
      expect(seconds).toBeGreaterThan(0)
      return [name, result]
    }),
  )

test('an experiment that is stopped keeps its finished cells and goes on to the same bits', {
  timeout: 180_000,
}, async () => {
  const whole = await run('undisturbed')
  expect([whole.finished, whole.cells]).toEqual([8, 8])
  expect(Object.keys(found('undisturbed'))).toHaveLength(8)

  const stop = new AbortController()
  const onCell = () => stop.abort(new Error('stopped'))
  await expect(run('stopped', { signal: stop.signal, onCell, workers: 1 })).rejects.toThrow('stopped')
  const kept = Object.keys(found('stopped'))
  expect(kept).toHaveLength(1)
  // As a kill leaves a write.
  writeFileSync(join(folder, 'stopped', 'cells', 'half.json.new'), '{"curve":[')
  expect(await run('stopped', { reportOnly: true })).toMatchObject({ finished: 1, cells: 8 })
  const resumed: unknown[] = []
  await run('stopped', { onCell: () => resumed.push(1) })
  expect(resumed).toHaveLength(7)
  expect(found('stopped')).toEqual(found('undisturbed'))

  const again = await run('stopped', { onCell: () => expect.unreachable('all cells are finished') })
  expect(again).toEqual(whole)
  const page = readFileSync(join(folder, 'stopped', 'summary.html'), 'utf8')
  expect(page).toContain('8 of 8 cells')
  expect(page.match(/(src|href)=|<script|https?:/g)).toBeNull()

  const { rows, reference } = whole.tables[0]!
  expect(reference).toBe('both')
  const of = (name: string) => rows.find(({ strategy }) => strategy === name)!
  expect(of('random')).toMatchObject({
    seeds: 2,
    seedsPlanned: 2,
    steps: 4,
    tokens: 4 * 2 * 16,
    overhead: 0,
    gain: null,
  })
  expect(of('random twice').trainingFlops).toBe(2 * of('random').trainingFlops)
  expect(of('random twice').gainAtFlops).toMatchObject({ n: 2, mean: 0 })
  expect(of('multi-actor').selectingFlops).toBeGreaterThan(0)
  expect(of('multi-actor').gain!.n).toBe(2)
  expect(summaryText(whole)).toContain('8 of 8 cells are finished.')
  // What a bounded cell is held against is the cell of the same seed, after as many tokens.
  const results: CellResult[] = Object.values(found('undisturbed'))
  for (const bounded of results.filter(({ strategy }) => strategy === 'bounded')) {
    const control = results.find(({ strategy, seed }) => strategy === 'random' && seed === bounded.seed)!
    expect(bounded.rounds.map(({ otherText }) => otherText!.heldAgainst)).toEqual([null, control.curve[1]!.otherLoss])
    const { share, loss, heldAgainst } = bounded.rounds[1]!.otherText!
    expect(loss).toBe(bounded.curve[1]!.otherLoss)
    expect(share).toBe(Math.round(Math.min(1, Math.max(0, (loss! - heldAgainst!) / 0.02)) * 1e6) / 1e6)
  }
  expect(of('bounded').natural).toBeGreaterThanOrEqual(0)
  expect(of('multi-actor').natural).toBeNull()
  expect(summaryText(whole)).toMatch(
    /bounded: [0-9]+% from the natural mixture; other text at most [-+]0\.[0-9]+ over random/,
  )
})

test('the commands that documents give for it work, and go on where an earlier one ended', {
  timeout: 180_000,
}, async () => {
  const commands = blocksFor('services/experiments').flatMap(({ text }) => commandsIn(text))
  expect(commands.length).toBeGreaterThan(2)
  cpSync(join(folder, 'undisturbed'), join(folder, '.winnow', 'experiments', 'plan'), { recursive: true })
  for (const command of commands) {
    const [npx, program, ...words] = command.replace(/#.*/, '').trim().split(/ +/)
    expect([npx, program]).toEqual(['npx', 'winnow'])
    const { code, stdout } = await winnow(words, {}, folder)
    expect([command, code]).toEqual([command, 0])
    if (words.includes('--json')) expect(JSON.parse(stdout)).toMatchObject({ cells: 8, finished: 8 })
    else expect(stdout).toContain('8 of 8 cells are finished.')
    if (words.includes('--baseline')) expect(stdout).toContain('against multi-actor')
  }
})

test('a plan that cannot be read is refused with what to do', async () => {
  const { code, stderr } = await winnow(['experiment', 'nowhere.yaml'], {}, folder)
  expect([code, stderr]).toEqual([3, expect.stringContaining('nowhere.yaml')])
})
