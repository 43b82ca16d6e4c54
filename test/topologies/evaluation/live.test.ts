import { describe, expect, test } from 'vitest'
import { Evaluation, RoundOpened as Opened, Reward, type RoundOpened, runTopics } from '../../../schemas/index.ts'
import { Console } from '../../../topologies/console/console.ts'
import { estimateFor, roundsNoBetter } from '../../../topologies/evaluation/evaluate.ts'
import { foldRound, initialState } from '../../../topologies/selection/console.ts'
import { heldOutOf } from '../../../topologies/selection/hold-out.ts'
import { rewardColumns } from '../../../topologies/selection/rewards.ts'
import { documents, rewardOf, runLoop, subcategoryOf, tinyRun } from '../loop.ts'

const run = tinyRun({ holdOut: 0.4 }, { sampleDocuments: 15 })
const topics = runTopics(run.name)

describe('a live run that holds rewards out', () => {
  test('folds none of them, and judges each round by all of them', async () => {
    const { driver, manifests } = await runLoop(run)
    const decisions = driver.records(topics.consoleState.name)
    const evaluations = decisions
      .filter(({ record }) => record === Evaluation.name)
      .map(({ value }) => value as Evaluation)
    expect(evaluations.map(({ round, on }) => [round, on])).toEqual([1, 2, 3].map((round) => [round, 'held-out']))
    const config = run.selection
    let state = initialState(config)
    for (const { value } of decisions.filter(({ record }) => record === Opened.name)) {
      const { round, samples, checkpointDigest } = value as RoundOpened
      if (round === 0) continue
      const isHeldOut = heldOutOf(config, round)!
      const answers = samples.flatMap(({ actor, subcategory, docIds }) =>
        docIds.map((documentId) => ({
          actor,
          subcategory,
          documentId,
          reward: rewardOf(checkpointDigest!, documentId),
        })),
      )
      const [held, folded] = [true, false].map((out) =>
        answers.filter(({ documentId }) => isHeldOut(documentId) === out),
      )
      state = foldRound(
        config,
        round,
        state,
        config.actors.map(({ name }) => rewardColumns(folded!.filter(({ actor }) => actor === name))),
      )
      expect(manifests[round]!.weights).toEqual(state.actors.map(({ weights }) => weights))
      expect(held!.length).toBeGreaterThan(0)
      const evaluation = evaluations.find((one) => one.round === round)!
      expect(evaluation.answers).toBe(held!.length)
      // The corpus: by hand, with weights from how many answers and documents each subcategory has.
      const ratio = (docId: bigint, actor: string) => {
        const j = subcategoryOf(actor, docId)
        const answered = held!.filter((one) => one.actor === actor && one.subcategory === j).length
        return answered / documents.filter((one) => subcategoryOf(actor, one.docId) === j).length
      }
      const weights = held!.map(
        ({ documentId }) => 1 / config.actors.reduce((sum, { name }) => sum + ratio(documentId, name), 0),
      )
      const mean =
        held!.reduce((sum, { reward }, i) => sum + reward * weights[i]!, 0) / weights.reduce((a, b) => a + b, 0)
      const corpus = estimateFor(evaluation, 'corpus')!
      expect(corpus.mean).toBeCloseTo(mean, 12)
      expect(corpus.gain).toBe(0)
      expect(evaluation.estimates.map(({ policy }) => policy)).toEqual([
        ...['corpus', 'selection', 'previous weights', 'shape alone', 'colour alone', 'competitive', 'theta fixed'],
        'best possible',
      ])
      const best = estimateFor(evaluation, 'best possible')!
      for (const { mean: other } of evaluation.estimates)
        if (other !== null) expect(best.mean).toBeGreaterThanOrEqual(other)
    }
  })

  test('gives the same evaluation whatever the order of answers, and after a restart in between', async () => {
    const found = await runLoop(run)
    const all = found.driver.records(topics.consoleState.name)
    const ofLast = (records: typeof all) => records.filter(({ record }) => record === Evaluation.name).at(-1)?.value
    const other = await runLoop(run, (choices) => choices - 1, 5)
    expect(ofLast(other.driver.records(topics.consoleState.name))).toEqual(ofLast(all))
    const sent: unknown[] = []
    const output = { send: async (records: { value: unknown }[]) => sent.push(...records.map(({ value }) => value)) }
    const again = new Console(run, { ...found.ports.console, store: found.store, output: output as never })
    again.restore(all.slice(0, -1))
    await again.start()
    expect(sent).toEqual([])
    const rewards = found.driver.records(topics.rewards.name)
    await again.process(
      rewards.filter(({ partition, offset }) => offset >= again.startOffset(topics.rewards.name, partition)),
    )
    expect(sent).toEqual([ofLast(all)])
    expect(rewards.every(({ record }) => record === Reward.name)).toBe(true)
  })

  test('without a share to hold out nothing is evaluated', async () => {
    const { driver } = await runLoop(tinyRun())
    expect(driver.records(topics.consoleState.name).some(({ record }) => record === Evaluation.name)).toBe(false)
  })
})

test('a share is held out, by document and anew in each round', () => {
  const seeded = { seed: '7', holdOut: 0.3 }
  const heldIn = (round: number) =>
    documents.filter(({ docId }) => heldOutOf(seeded, round)!(docId)).map(({ docId }) => docId)
  expect(heldIn(1)).toEqual(heldIn(1))
  expect(heldIn(1)).not.toEqual(heldIn(2))
  const share = Array.from({ length: 50 }, (_, round) => heldIn(round).length / documents.length)
  expect(share.reduce((a, b) => a + b, 0) / 50).toBeCloseTo(0.3, 1)
  expect(heldOutOf({ seed: '7' }, 1)).toBeUndefined()
})

test('rounds no better than random are counted back to the last that was better; rounds without an estimate do not count', () => {
  const estimate = { policy: 'selection', mean: 0, low: 0, high: 0, gain: 0, gainHigh: 0, effective: 1 }
  const rounds = (...lows: (number | null)[]): Evaluation[] =>
    lows.map((gainLow, i) => ({
      run: 'a',
      round: i + 1,
      on: 'held-out',
      answers: 1,
      estimates: [{ ...estimate, gainLow }],
    }))
  expect(roundsNoBetter([])).toBe(0)
  expect(roundsNoBetter(rounds(0.1))).toBe(0)
  expect(roundsNoBetter(rounds(0.1, 0, -1, null, -0.2))).toBe(3)
  expect(roundsNoBetter(rounds(-1, -1, 0.1, -1))).toBe(1)
  expect(roundsNoBetter(rounds(-1, -1))).toBe(2)
})
