import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { demoActors } from '../../../deploy/demo/demo-actors.ts'
import { actorsOfFile } from '../../../services/config/load.ts'
import { type CellContext, cellsOf } from '../../../services/experiments/cells.ts'
import { readPlan } from '../../../services/experiments/plan.ts'
import { otherRewardsOf } from '../../../services/experiments/references.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const folder = temporaryFolder('plan')
const file = join(folder, 'plan.json')
const minimal = {
  corpus: 'demo',
  model: 'shipped:llama-64x2',
  strategies: { random: { selection: { strategy: 'random' } }, 'multi-actor': {} },
  seeds: [1, 2],
  budgets: [10],
}
const read = (plan: object) => {
  writeFileSync(file, JSON.stringify(plan))
  return readPlan(file, folder)
}
const sample = join(folder, 'sample.jsonl')
writeFileSync(sample, '{"text":"a"}\n')
const actors = actorsOfFile('x', demoActors)
const context: CellContext = {
  corpus: { documents: 100, versions: { quality: 'a', domain: 'b', topic: 'c' }, digest: 'corpus' },
  actors,
  references: { fiction: { rewards: [sample], evaluation: sample } },
  other: sample,
  model: 'model',
  checkpoints: (cell) => `/work/${cell}`,
}
const cells = (plan: object, more: Partial<CellContext> = {}) => cellsOf(read(plan), { ...context, ...more })

describe('a plan', () => {
  test('is strategies by seeds by budgets by references, whole pairs first', () => {
    const both = { ...context.references, addresses: { rewards: [sample, sample], evaluation: sample } }
    const found = cells({ ...minimal, budgets: [10, 20] }, { references: both })
    expect(found.map(({ reference, budget, seed, strategy }) => [reference, budget, seed, strategy].join())).toEqual(
      ['fiction', 'addresses'].flatMap((reference) =>
        [10, 20].flatMap((budget) =>
          [1, 2].flatMap((seed) => ['random', 'multi-actor'].map((one) => [reference, budget, seed, one].join())),
        ),
      ),
    )
    expect(new Set(found.map(({ digest }) => digest)).size).toBe(16)
    const last = found.at(-1)!.run
    expect(last.reference).toMatchObject({ reward: sample, moreRewards: [sample] })
    expect([last.steps, last.updateSteps, last.selection.budget, last.selection.seed]).toEqual([
      20,
      4,
      { documents: 25 },
      '2',
    ])
  })

  test('a price is measured on other held-out documents than the losses, and leaves cells without one as they are', async () => {
    const other = join(folder, 'held-out.jsonl')
    writeFileSync(other, ['a', 'b', 'c'].map((text) => `${JSON.stringify({ text })}\n`).join(''))
    const plain = { ...minimal, samplesMax: 2, seeds: [1] }
    const strategies = { ...minimal.strategies, priced: { selection: { price: { weight: 1 } } } }
    const plan = read({ ...plain, strategies })
    const otherRewards = await otherRewardsOf(plan, other, folder)
    expect(readFileSync(otherRewards!, 'utf8')).toBe('{"text":"c"}\n')
    const found = cells({ ...plain, strategies }, { other, otherRewards })
    expect(found.at(-1)!.run.reference).toMatchObject({ corpus: other, other: otherRewards })
    const without = cells(plain, { other })
    expect(found.slice(0, 2).map(({ digest }) => digest)).toEqual(without.map(({ digest }) => digest))
    expect(await otherRewardsOf(read(plain), other, folder)).toBeUndefined()
    const scarce = read({ ...plain, samplesMax: 3, strategies })
    await expect(otherRewardsOf(scarce, other, folder)).rejects.toThrow('no samples left for the price')
  })

  test('what is held against another strategy comes after it, has it in its digest, and leaves the others as they are', () => {
    const bounded = { selection: { guards: { other: { bound: 0.2, against: 'random' } } } }
    const plan = { ...minimal, seeds: [1], strategies: { bounded, ...minimal.strategies } }
    const found = cells(plan)
    expect(found.map(({ strategy }) => strategy)).toEqual(['random', 'multi-actor', 'bounded'])
    expect(found[2]!.against).toBe(found[0]!.digest)
    const without = cells({ ...minimal, seeds: [1] })
    expect(found.slice(0, 2).map(({ digest }) => digest)).toEqual(without.map(({ digest }) => digest))
    const [other] = cells({ ...plan, seeds: [2] }).slice(-1)
    const [shorter] = cells({ ...plan, samplesMax: 3 }).slice(-1)
    expect(new Set([found[2]!, other!, shorter!].map(({ digest }) => digest)).size).toBe(3)
    const refused = (against: string) => () =>
      cells({
        ...plan,
        strategies: { ...plan.strategies, other: { selection: { guards: { other: { bound: 1, against } } } } },
      })
    expect(refused('chance')).toThrow('strategies.other: guards.other.against names "chance", which is no strategy')
    expect(refused('bounded')).toThrow('names "bounded", which is no strategy that is held against none itself')
  })

  test('rewards are computed, and labels charged, where they are used', () => {
    const strategies = {
      ...minimal.strategies,
      'random twice': { like: 'random', times: 2 },
      'topic alone': { actors: ['topic'] },
      edu: { selection: { strategy: 'fineweb-edu' } },
    }
    const found = cells({ ...minimal, seeds: [1], strategies, run: { sampleDocuments: 3 } })
    const of = (name: string) => found.find(({ strategy }) => strategy === name)!
    expect([of('random').run.sampleDocuments, of('random').labels]).toEqual([0, []])
    expect(of('random twice').run).toMatchObject({ steps: 20, updateSteps: 4, sampleDocuments: 0 })
    expect(of('random twice').run.selection.strategy).toEqual(of('random').run.selection.strategy)
    expect([of('multi-actor').run.sampleDocuments, of('multi-actor').labels]).toEqual([
      3,
      ['quality', 'domain', 'topic'],
    ])
    expect(of('topic alone').run.selection.actors.map(({ name }) => name)).toEqual(['topic'])
    expect([of('edu').run.sampleDocuments, of('edu').labels]).toEqual([0, ['quality']])
  })

  test('what a cell does not depend on is not in its digest, and what it depends on is', () => {
    const digestOf = (plan: object, more: Partial<CellContext> = {}) => cells({ ...minimal, ...plan }, more)[1]!.digest
    const before = digestOf({})
    expect(digestOf({ seeds: [1, 2, 3] }, { checkpoints: () => '/elsewhere' })).toBe(before)
    expect(digestOf({ strategies: { ...minimal.strategies, other: {} } })).toBe(before)
    const others = [
      digestOf({ rounds: 2 }),
      digestOf({ select: 0.1 }),
      digestOf({ samplesMax: 9 }),
      digestOf({ run: { sampleDocuments: 3 } }),
      digestOf({}, { corpus: { ...context.corpus, digest: 'other' } }),
      digestOf({}, { model: 'other' }),
    ]
    expect(new Set([before, ...others]).size).toBe(7)
    writeFileSync(sample, '{"text":"b"}\n')
    expect(digestOf({})).not.toBe(before)
  })

  test('the shipped one is 18 strategies by 5 seeds, each of them a run', () => {
    const plan = readPlan('deploy/demo/experiment.yaml', process.cwd())
    const references = Object.fromEntries(
      Object.keys(plan.references!).map((name) => [name, context.references.fiction!]),
    )
    const found = cellsOf(plan, { ...context, references })
    expect(found).toHaveLength(18 * 5 * 3)
    const configured = new Set(found.map(({ run }) => JSON.stringify({ ...run.selection, steps: run.steps })))
    expect(configured.size).toBe(18 * 5)
  })

  test('the shipped one of a bound differs from the unbounded strategy in that alone, and in digests by seed', () => {
    const found = cellsOf(readPlan('deploy/demo/bound.yaml', process.cwd()), context)
    expect(found.map(({ strategy }) => strategy).slice(0, 3)).toEqual(['random', 'multi-actor', 'bounded'])
    const [, free, bounded] = found
    const { guards, ...selection } = bounded!.run.selection
    expect([guards, selection]).toEqual([{ rules: [], other: { bound: 0.2, against: 'random' } }, free!.run.selection])
    expect(new Set(found.map(({ digest }) => digest)).size).toBe(30)
  })

  test('the shipped one of a price asks the paper’s method for one, and random for none', () => {
    const found = cellsOf(readPlan('deploy/demo/price.yaml', process.cwd()), { ...context, otherRewards: sample })
    expect(found.slice(0, 4).map(({ run }) => run.selection.price?.weight)).toEqual([undefined, undefined, 1, 4])
    expect(new Set(found.map(({ digest }) => digest)).size).toBe(20)
  })

  test('may be compared with another baseline', () => {
    read(minimal)
    expect(readPlan('plan.json', folder, 'multi-actor').baseline).toBe('multi-actor')
    expect(() => readPlan('plan.json', folder, 'chance')).toThrow('baseline: names "chance", which is none')
  })

  test.each([
    ['no strategies', { strategies: {} }, 'strategies: must name a strategy'],
    [
      'a baseline that is none',
      { baseline: 'chance' },
      'baseline: names "chance", which is none of the strategies: random, multi-actor',
    ],
    [
      'a baseline of another length',
      { baseline: 'twice', strategies: { twice: { times: 2 } } },
      'baseline: must train once',
    ],
    [
      'likeness to nothing',
      { strategies: { ...minimal.strategies, x: { like: 'y' } } },
      'strategies.x.like: names "y"',
    ],
    [
      'likeness to a likeness',
      { strategies: { ...minimal.strategies, x: { like: 'random' }, y: { like: 'x' } } },
      'strategies.y.like: names a strategy that is like another one itself',
    ],
    ['a seed twice', { seeds: [1, 1] }, 'seeds: must not have a seed twice'],
    ['a budget of nothing', { budgets: [0] }, 'budgets.0: must be at least 1'],
    ['a key with a place of its own', { run: { steps: 5 } }, 'run.steps: steps differs from cell to cell'],
    ['an unknown key', { strategy: 'random' }, 'the file: Unrecognized key: "strategy"'],
    ['an unknown corpus', { corpus: 'slimpajama' }, 'corpus: must be demo'],
    [
      'a reference to no task',
      {
        corpus: { files: 'a.jsonl', other: 'b.jsonl', tasks: { qa: { reward: 'r', evaluation: 'e' } } },
        references: { x: ['maths'] },
      },
      'references.x: names "maths", which is none of corpus.tasks: qa',
    ],
  ])('with %s is refused, by file and place', (_, change, message) => {
    expect(() => read({ ...minimal, ...change })).toThrow(`${file}: configuration: ${message}`)
  })

  test.each([
    ['an actor that nobody labels', { actors: ['style'] }, 'there is no actor style'],
    ['an unknown collaboration', { selection: { collaboration: 'all' } }, 'selection.collaboration: must be'],
    [
      'a mixture of other domains',
      { selection: { strategy: { mixture: { actor: 'domain', weights: [1] } } } },
      '1 weights for 8',
    ],
  ])('whose strategy has %s is refused, by file and strategy', (_, strategy, message) => {
    const plan = { ...minimal, strategies: { ...minimal.strategies, strange: strategy } }
    expect(() => cells(plan)).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION', message: expect.stringContaining(message) }),
    )
    expect(() => cells(plan)).toThrow(`${file}: strategies.strange: `)
  })
})
