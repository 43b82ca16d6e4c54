import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DocumentId, type Label, type Manifest, RoundOpened, runTopics, topics } from '../../../schemas/index.ts'
import { runInput } from '../../../services/archive/simulation-input.ts'
import { readManifests, readRecordedRun } from '../../../services/runs/recorded.ts'
import { replayRun } from '../../../services/runs/replay/changes.ts'
import { replay } from '../../../services/runs/replay/replay.ts'
import { selectionsOf } from '../../../services/selections/chunks.ts'
import { simulateOn } from '../../../services/simulate/simulate.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { parseSelectionConfig, type SelectionConfig } from '../../../topologies/selection/config.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'
import { silent } from '../simulate/folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-simulate-run-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Odd documents help, more the longer they are. */
const rewardOf = (text: string) => (Number(text.split(' ')[1]) % 2 === 0 ? -1 : 1 + Number(text.split(' ')[1]) / 100)

async function recorded(selection: object = {}, more: object = {}) {
  const runtime = await memoryRuntime()
  await fillByParity(runtime.store, 40)
  const run = parityRun('original', selection, more)
  await recordRun(runtime, run, rewardOf)
  return { runtime, run }
}

async function selectedIds(runtime: MemoryRuntime, manifest: Manifest): Promise<DocumentId[]> {
  const all: DocumentId[] = []
  for await (const ids of selectionsOf(runtime).selection(manifest, 0)) all.push(...ids)
  return all
}

let simulations = 0
/** What a simulation of a run writes: weights, theta and ids of each round. */
async function simulated(runtime: MemoryRuntime, run: RunConfig, config: SelectionConfig = run.selection) {
  const out = join(folder, `${simulations++}`)
  const input = await runInput(runtime, run, config)
  const { documents } = await simulateOn(config, () => input, { out }, silent)
  const lines = readFileSync(join(out, 'rounds.jsonl'), 'utf8').trim().split('\n')
  const rounds = lines.map((line) => JSON.parse(line))
  return {
    documents,
    rounds: rounds.map(({ round, weights, theta }) => ({
      ...{ round, weights: Object.values(weights), theta: Object.values(theta) },
      ids: readFileSync(join(out, `selection-${round}.txt`), 'utf8')
        .split('\n')
        .filter((id) => id !== ''),
    })),
  }
}

const recordedRounds = async (runtime: MemoryRuntime, name: string) =>
  await Promise.all(
    (await readManifests(runtime, name)).map(async (manifest) => ({
      ...{ round: manifest.round, weights: manifest.weights, theta: manifest.theta },
      ids: (await selectedIds(runtime, manifest)).map(String),
    })),
  )

const cells = { collaboration: 'joint', joint: { ridge: 10, weighting: 'corpus' } }

describe('a recorded run that is simulated', () => {
  test.each([
    {},
    { repetitionDecay: 0.5, holdOut: 0.3 },
    { repeat: 'exclude', update: 'additive' },
    { firstSelection: 'weights', rewardTransform: { kind: 'standardize' } },
    cells,
  ])('with %j has its weights, theta and selections, document by document', async (selection) => {
    const { runtime, run } = await recorded(selection)
    const { documents, rounds } = await simulated(runtime, run)
    expect(documents).toBe(40)
    expect(rounds).toHaveLength(3)
    expect(rounds).toEqual(await recordedRounds(runtime, run.name))
  })

  test('has the same rounds if they asked for no rewards', async () => {
    const { runtime, run } = await recorded({}, { sampleDocuments: 0 })
    expect((await simulated(runtime, run)).rounds).toEqual(await recordedRounds(runtime, run.name))
  })

  test('by other settings has what a replay with them has', async () => {
    const { runtime, run } = await recorded({ repetitionDecay: 0.5 })
    const changed = replayRun(run, 'changed', { budget: { documents: 9 }, actors: { parity: { eta: 0.9 } } })
    await replay({ runtime, recorded: run, replay: changed })
    const { rounds } = await simulated(runtime, run, changed.selection)
    expect(rounds).toEqual(await recordedRounds(runtime, 'changed'))
    expect(rounds).not.toEqual(await recordedRounds(runtime, run.name))
  })
})

describe('refused with what does not fit, before anything is written, is', () => {
  let runtime: MemoryRuntime
  let run: RunConfig
  beforeAll(async () => {
    ;({ runtime, run } = await recorded())
  })

  const config = (change: object = {}, actors: object = { parity: { subcategories: ['even', 'odd'] } }) =>
    parseSelectionConfig({ seed: 3, actors, budget: { documents: 6 }, ...change })
  test.each([
    ['an actor that the run has not', config({}, { size: { subcategories: ['small'] } }), 'has no actor size'],
    ['other subcategories', config({}, { parity: { subcategories: ['odd', 'even'] } }), 'has other subcategories'],
    ['a price', config({ price: { weight: 1, bound: 0 } }), 'no rewards on other text'],
  ])('%s', async (_what, given, message) => {
    await expect(runInput(runtime, run, given)).rejects.toMatchObject({
      ...{ code: 'CONFIGURATION', message: expect.stringContaining(message) },
    })
  })

  test('a shadow', async () => {
    await expect(runInput(runtime, { ...run, shadowOf: 'leader' }, run.selection)).rejects.toThrow('it is a shadow')
  })

  /** The newest opening as if it had been another. */
  async function opening(change: (opened: RoundOpened) => Partial<RoundOpened>, of = run): Promise<void> {
    const opened = (await readRecordedRun(runtime, of.name)).opened.at(-1)!
    const value = runtime.codec.encode(RoundOpened, { ...opened, ...change(opened) })
    const producer = await runtime.kafka.producer()
    await producer.send([{ topic: runTopics(of.name).consoleState.name, key: `opened/${opened.round}`, value }])
  }

  test('a trainer that read on in an earlier selection, if what was read matters', async () => {
    await opening(() => ({ reads: [{ round: 0, read: 5 }] }))
    await expect(runInput(runtime, run, config({ repeat: 'exclude' }))).rejects.toThrow('had read on in a selection')
    await runInput(runtime, run, run.selection)
    await opening(() => ({ reads: [] }))
  })

  test('a corpus that grew from round to round, but not one whose topics went on without documents that take part', async () => {
    const at = <V>(value: V) => ({ value, partition: 0, offset: 40 })
    const docId = 40n as DocumentId
    await runtime.store.addDocuments([at({ docId, text: 'document 40', tokens: 10, meta: '{}' })])
    const further = (opened: RoundOpened) => ({
      labelOffsets: opened.labelOffsets.map((one) => ({ ...one, offsetNext: 41 })),
    })
    await opening(further)
    await runInput(runtime, run, run.selection)
    await runtime.store.addLabels([
      at<Label>({ docId, actor: 'parity', subcategory: 0, score: 1, tokens: 10, version: 'v1' }),
    ])
    await expect(runInput(runtime, run, run.selection)).rejects.toThrow(
      '40 documents took part in round 0 and 41 in round 2, and a simulation has one corpus',
    )
  })

  test('a run from which documents were excluded on the way', async () => {
    await opening(({ labelOffsets }) => ({
      labelOffsets: [...labelOffsets, { topic: topics.exclusions.name, partition: 0, offsetNext: 1 }],
    }))
    await expect(runInput(runtime, run, run.selection)).rejects.toThrow('documents were excluded by round 2')
  })
})
