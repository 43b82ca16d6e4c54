import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { station } from '../../docs/examples/labeler.ts'
import { rehearse, type World } from '../../docs/examples/rehearsal.ts'
import { median, stationsWithMedian } from '../../docs/examples/strategy.ts'
import { Document, topics } from '../../schemas/index.ts'
import { type Ports, runStations } from '../../topologies/dataflow.ts'
import { InMemoryDriver } from '../../topologies/driver.ts'
import { parseRunConfig } from '../../topologies/run-config.ts'

const folder = join(import.meta.dirname, '../../docs/examples')

test('each example is shorter than 60 lines and in the table of the README', () => {
  const files = globSync('*.ts', { cwd: folder })
  const readme = readFileSync(join(folder, 'README.md'), 'utf8')
  expect(files.length).toBeGreaterThanOrEqual(5)
  for (const file of files) {
    expect(readFileSync(join(folder, file), 'utf8').trimEnd().split('\n').length, file).toBeLessThan(60)
    expect(readme).toContain(`[${file}](${file})`)
  }
})

test('the labeler labels by the share of capitals, and refuses a text without letters', async () => {
  const driver = new InMemoryDriver()
  const texts = ['all is well', 'Oh NO', 'STOP THE SHIP', '12 + 30']
  const value = (text: string, n: number) => ({ docId: BigInt(n), text, tokens: 3, meta: '{}' })
  driver.append(
    texts.map((text, n) => ({ topic: topics.documents.name, record: Document, key: `${n}`, value: value(text, n) })),
  )
  await driver.start(station, (output) => station.build({} as Ports, output))
  await driver.run()
  expect(driver.records('winnow.labels.case').map(({ value }) => value)).toEqual([
    { docId: 0n, actor: 'case', subcategory: 0, score: 0, tokens: 3, version: 'capitals1' },
    { docId: 1n, actor: 'case', subcategory: 2, score: 0.75, tokens: 3, version: 'capitals1' },
    { docId: 2n, actor: 'case', subcategory: 2, score: 1, tokens: 3, version: 'capitals1' },
  ])
  expect(driver.rejected).toMatchObject([
    { station: 'labeler case', reason: 'no-letters', message: 'document 3, actor case: has no letter' },
  ])
})

describe('a strategy of rounds, rehearsed in memory', () => {
  const run = parseRunConfig({
    name: 'rehearsal',
    selection: {
      seed: 7,
      actors: { colour: { subcategories: ['red', 'blue'] } },
      firstSelection: 'weights',
      budget: { documents: 4 },
    },
    updateSteps: 10,
    steps: 30,
    sampleDocuments: 5,
    labelers: { colour: 'v1' },
    reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
    model: 'm',
    checkpoints: 'k',
  })
  // Every blue text helps a little; the red ones harm, but for one that helps beyond measure.
  const world: World = {
    texts: Array.from({ length: 10 }, (_, n) => `${n % 2 === 0 ? 'red' : 'blue'} ${n}`),
    labelOf: (_actor, text) => (text.startsWith('red') ? 0 : 1),
    rewardOf: (text) => (text === 'red 4' ? 100 : text.startsWith('red') ? -1 : 1),
  }
  const isRed = (id: bigint) => id % 2n === 0n

  test('with means one extreme reward moves the whole selection; with medians it moves nothing', async () => {
    const byMean = await rehearse(run, runStations(run), world)
    const byMedian = await rehearse(run, stationsWithMedian(run, 'colour'), world)
    expect(byMean.map((ids) => ids.length)).toEqual([4, 4, 4])
    expect(byMean.slice(1).map((ids) => ids.every(isRed))).toEqual([true, true])
    expect(byMedian.map((ids) => ids.length)).toEqual([4, 4, 4])
    expect(byMedian.slice(1).map((ids) => ids.some(isRed))).toEqual([false, false])
    expect(byMedian[0]).toEqual(byMean[0])
  })

  test('the median of none, one, an even and an odd number of rewards', () => {
    expect([[], [3], [4, 1], [9, -100, 2]].map(median)).toEqual([null, 3, 2.5, 2])
  })
})
