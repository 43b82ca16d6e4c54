import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Progress, runTopics } from '../../../../schemas/index.ts'
import type { Config } from '../../../../services/config/config.ts'
import { selectedOf } from '../../../../services/runs/compare/selected.ts'
import { readRecordedRun } from '../../../../services/runs/recorded.ts'
import { replayRun } from '../../../../services/runs/replay/changes.ts'
import { RoundLedgers } from '../../../../services/runs/replay/folded.ts'
import { replay } from '../../../../services/runs/replay/replay.ts'
import { hasChromium, openBrowser } from '../../../support/browser.ts'
import { cliOn } from '../../../support/cli.ts'
import { blocksFor, commandsIn } from '../../../support/documents.ts'
import {
  fillByParity,
  type MemoryRuntime,
  memoryRuntime,
  parityRun,
  recordRun,
} from '../../../support/memory-runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-compare-'))
const page = join(folder, 'compared.html')
/** An odd document that round 1 asks for, and that only the first run finds useful. */
let disputed: string
const rewardOf = (odd: number) => (text: string) =>
  text === `document ${disputed}` ? odd : Number(text.split(' ')[1]) % 2
const runs = [parityRun('first'), parityRun('second')] as const
let runtime: MemoryRuntime
let cli: ReturnType<typeof cliOn>
/** biome-ignore lint/suspicious/noExplicitAny: what a command prints */
let rounds: any[]

beforeAll(async () => {
  runtime = await memoryRuntime()
  await fillByParity(runtime.store, 40)
  await recordRun(runtime, runs[0], rewardOf(1))
  const { opened } = await readRecordedRun(runtime, 'first')
  disputed = `${opened[1]!.samples.find(({ subcategory }) => subcategory === 1)!.docIds[0]}`
  await recordRun(runtime, runs[1], rewardOf(-9))
  await report('first', [0, 4, 3.5, 3.25], 5)
  await report('second', [0, 4.5, 3.75], 10)
  cli = cliOn(runtime, { actors: [] } as unknown as Config, folder)
  const told = await cli('compare', 'first', 'second', '--json', '--html', page)
  expect(told.code).toBe(0)
  rounds = told.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Evaluations at steps 0, 2, 4, ..: losses, and so many tokens between them. */
async function report(run: string, losses: readonly number[], apart: number): Promise<void> {
  const producer = await runtime.kafka.producer()
  for (const [i, referenceLoss] of losses.entries())
    await producer.send([
      {
        topic: runTopics(run).progress.name,
        key: run,
        value: runtime.codec.encode(Progress, {
          ...{ run, step: 2 * i, tokens: apart * i, round: 0, position: 0, trainLoss: null, checkpoint: null },
          ...{ referenceLoss: referenceLoss === 0 ? 5 : referenceLoss, corpusLoss: 6 },
        }),
      },
    ])
  await producer.close()
}

describe('two runs are compared round by round', () => {
  test('with what their selections have in common, in all and by cell', async () => {
    expect(rounds.map(({ round }) => round)).toEqual([0, 1, 2])
    for (const { round, documents, common, jaccard, cells } of rounds) {
      const [a, b] = await Promise.all(
        runs.map(async ({ name }) => {
          const log = await readRecordedRun(runtime, name)
          return new Set(await selectedOf(runtime, log.manifests.find((one) => one.round === round)!))
        }),
      )
      const either = new Set([...a!, ...b!])
      const both = new Set([...a!].filter((id) => b!.has(id)))
      expect({ documents, common }).toEqual({ documents: [a!.size, b!.size], common: both.size })
      expect(jaccard).toBe(both.size / either.size)
      for (const [label, parity] of ['even', 'odd'].entries()) {
        const own = (ids: Set<bigint>) => [...ids].filter((id) => Number(id) % 2 === label)
        if (own(either).length === 0) continue
        const tokens = (ids: Set<bigint>) => own(ids).reduce((sum, id) => sum + 10 + Number(id), 0)
        const found = cells.find((one: { labels: { parity: string } }) => one.labels.parity === parity)
        expect(found).toEqual({
          labels: { parity },
          documents: [own(a!).length, own(b!).length],
          tokens: [tokens(a!), tokens(b!)],
          common: own(both).length,
        })
      }
    }
  })

  test('with weights, theta, and tokens by subcategory', async () => {
    const [a, b] = await Promise.all(runs.map(({ name }) => readRecordedRun(runtime, name)))
    for (const [i, { theta, actors, cells }] of rounds.entries()) {
      const [ofA, ofB] = [a!.manifests[i]!, b!.manifests[i]!]
      expect(theta).toEqual([{ parity: ofA.theta[0] }, { parity: ofB.theta[0] }])
      for (const [j, { weights, tokens, subcategory }] of actors[0].subcategories.entries()) {
        expect(weights).toEqual([ofA.weights[0]![j], ofB.weights[0]![j]])
        const cell = cells.find((one: { labels: { parity: string } }) => one.labels.parity === subcategory)
        expect(tokens).toEqual(cell?.tokens ?? [0, 0])
      }
    }
  })

  test('up to the first that differs, and the rewards that led to it with where they stand in the log', async () => {
    expect(rounds.map(({ same }) => same)).toEqual([true, false, false])
    expect(rounds.map(({ divergence }) => divergence === null)).toEqual([true, false, true])
    const { divergence } = rounds[1]
    expect(divergence).toMatchObject({ round: 1, settings: [], actors: [[], []], corpus: false, checkpoints: null })
    const answers = await Promise.all(
      runs.map(async (run) => {
        const log = await readRecordedRun(runtime, run.name)
        await using ledgers = new RoundLedgers(runtime, run, log)
        const { rewardOffsets } = log.closed.find(({ round }) => round === 1)!
        return (await ledgers.at(1))!.answers('parity', rewardOffsets)
      }),
    )
    const [mine, theirs] = answers.map((own) => own.find(({ docId }) => `${docId}` === disputed))
    const at = (one: typeof mine) => `[${one!.partition}]@${one!.offset}`
    const stretch = (one: typeof mine) => [{ partition: one!.partition, first: one!.offset, last: one!.offset }]
    expect(divergence.rewards).toEqual([
      {
        ...{ actor: 'parity', subcategory: 'odd', others: 1, alone: [0, 0] },
        common: answers[0]!.filter(({ subcategory }) => subcategory === 1).length,
        offsets: [stretch(mine), stretch(theirs)],
        first: { docId: disputed, rewards: [1, -9], at: [at(mine), at(theirs)] },
      },
    ])
  })

  test('with losses after as many tokens, interpolated between the evaluations of the second', () => {
    expect(rounds.flatMap(({ losses }) => losses)).toEqual([
      { step: 0, tokens: 0, reference: [5, 5], otherText: [6, 6] },
      { step: 2, tokens: 5, reference: [4, 4.75], otherText: [6, 6] },
      { step: 4, tokens: 10, reference: [3.5, 4.5], otherText: [6, 6] },
      { step: 6, tokens: 15, reference: [3.25, 4.125], otherText: [6, 6] },
    ])
  })

  test('in words: overlap, divergence with its offsets, subcategories and losses', async () => {
    const { stdout } = await cli('compare', 'first', 'second')
    expect(stdout).toContain('all, same order')
    expect(stdout).toContain('First divergence, round 1: weights')
    const [{ first }] = rounds[1].divergence.rewards
    expect(stdout).toContain(`first document ${disputed}: 1.000000 (${first.at[0]}) and -9.000000 (${first.at[1]})`)
    expect(stdout).toMatch(/10\s+3\.5000\s+4\.5000\s+6\.0000\s+6\.0000/)
  })

  test('on a page that loads nothing, with the numbers and what the plots draw', () => {
    const html = readFileSync(page, 'utf8')
    expect(html).not.toMatch(/(src|href)="/)
    expect(html).toContain("default-src 'none'")
    const drawn = JSON.parse(/id="compared">(.*?)<\/script>/s.exec(html)![1]!)
    expect(drawn.rounds).toEqual(rounds.map(({ round, jaccard }) => ({ round, jaccard })))
    expect(drawn.actors[0].theta).toEqual(rounds.map(({ theta }) => theta.map((one: { parity: number }) => one.parity)))
    expect(drawn.losses.reference[0]).toContainEqual({ tokens: 10, value: 3.5 })
    const [{ offsets }] = rounds[1].divergence.rewards
    expect(html).toContain(
      `<td class="n">[${offsets[0][0].partition}]@${offsets[0][0].first}-${offsets[0][0].last}</td>`,
    )
    expect(html).toContain(`<td class="n">${rounds[2].jaccard.toFixed(4)}</td>`)
    for (const { weights } of rounds[2].actors[0].subcategories)
      for (const weight of weights) expect(html).toContain(`<td class="n">${weight.toFixed(4)}</td>`)
    expect(html).toContain('<td class="n">4.7500</td>')
  })
})

test.skipIf(!hasChromium)('a browser without a network draws all plots of the page', async () => {
  await using opened = new AsyncDisposableStack()
  const browser = opened.adopt(await openBrowser({ offline: true }), (one) => one.close())
  const shown = await browser.newPage()
  const errors: string[] = []
  shown.on('pageerror', ({ message }) => errors.push(message))
  shown.on('console', (message) => errors.push(message.text()))
  await shown.goto(`file://${page}`)
  // Overlap, cells with their legend, theta, two weights, tokens and two losses.
  await expect.poll(() => shown.locator('svg').count()).toBe(9)
  expect(await shown.locator('[data-plot=tokens] circle').count()).toBe(4)
  expect(errors).toEqual([])
})

test('settings that differ are named before all else, and a run is the same as itself', async () => {
  const other = parityRun('third', { seed: 4 })
  await recordRun(runtime, other, rewardOf(1))
  const { stdout } = await cli('compare', 'first', 'third')
  expect(stdout).toContain('First divergence, round 0: ')
  expect(stdout).toContain('setting selection.seed: "3" and "4"')
  const own = await cli('compare', 'first', 'first', '--html', page)
  expect(own.stdout).not.toContain('First divergence')
  expect(readFileSync(page, 'utf8')).toContain('All 3 rounds are the same to the bit.')
})

test('subcategories that only one of them has stand beside those of the other, and stay texts on the page', async () => {
  const other = parityRun('renamed', { actors: { parity: { subcategories: ['<img src=x>', '</script>'], eta: 0.5 } } })
  await recordRun(runtime, other, rewardOf(1))
  const { stdout } = await cli('compare', 'first', 'renamed', '--json', '--html', page)
  const [line] = stdout
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text))
  expect(line.actors[0].subcategories).toMatchObject([
    { subcategory: 'even', weights: [0.5, null] },
    { subcategory: 'odd', weights: [0.5, null] },
    { subcategory: '<img src=x>', weights: [null, 0.5], tokens: null },
    { subcategory: '</script>', weights: [null, 0.5], tokens: null },
  ])
  const html = readFileSync(page, 'utf8')
  expect(html).toContain('&lt;img src=x&gt;')
  expect(html).not.toContain('<img')
  expect(html.match(/<\/script>/g)).toHaveLength(4)
})

test('a replay has the rewards of the run that it replays: with another eta these are the same, and only the setting differs', async () => {
  const changed = replayRun(runs[0], 'slower', { actors: { parity: { eta: 0.25 } } })
  await replay({ runtime, recorded: runs[0], replay: changed })
  const { stdout } = await cli('compare', 'first', 'slower', '--json')
  const { divergence } = JSON.parse(stdout.split('\n')[1]!)
  expect(divergence).toMatchObject({ round: 1, settings: [{ key: 'selection.actors.parity.eta' }], rewards: [] })
  expect(divergence.rewardTopics).toEqual(['winnow.run.first.rewards', 'winnow.run.first.rewards'])
})

test('the documented command writes the page that it names', async () => {
  const [command] = blocksFor('services/runs/compare/compare').flatMap(({ text }) => commandsIn(text))
  const [, , name, a, b, html, file] = command!.split(' ')
  expect([name, a, b, html]).toEqual(['compare', 'multi-actor-7', 'random-7', '--html'])
  expect(await cli(name!, 'first', 'second', html!, file!)).toMatchObject({
    code: 0,
    stderr: `${join(folder, file!)}\n`,
  })
  expect(readFileSync(join(folder, file!), 'utf8')).toContain('First divergence')
})

test('a file that cannot be written is named, with what to do', async () => {
  const told = await cli('compare', 'first', 'second', '--html', join(folder, 'nowhere', 'x.html'))
  expect(told.code).toBe(3)
  expect(told.stderr).toContain('nowhere/x.html cannot be written')
})
