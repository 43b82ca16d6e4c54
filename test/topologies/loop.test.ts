import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ActorState,
  asDocumentId,
  Progress,
  Reward,
  type RoundClosed,
  type RoundOpened,
  runTopics,
} from '../../schemas/index.ts'
import { foldRound, initialState } from '../../topologies/selection/console.ts'
import { MemoryCorpus } from '../../topologies/selection/memory-corpus.ts'
import { rewardColumns } from '../../topologies/selection/rewards.ts'
import { select } from '../../topologies/selection/select.ts'
import { documents, requestsOf, rewardOf, runLoop, subcategoryOf, tinyRun } from './loop.ts'

const actorsOf = (run: ReturnType<typeof tinyRun>) => run.selection.actors.map(({ name }) => name)

/** The run computed without any station: samples, rewards, folds and selections straight from the pure functions. */
async function expected(run: ReturnType<typeof tinyRun>, opened: RoundOpened[]) {
  const config = run.selection
  let state = initialState(config)
  const rounds = []
  for (const { round, samples, checkpointDigest } of opened) {
    if (round > 0) {
      const columns = config.actors.map(({ name }) =>
        rewardColumns(
          samples
            .filter(({ actor }) => actor === name)
            .flatMap(({ docIds, subcategory }) =>
              docIds.map((documentId) => ({
                documentId,
                subcategory,
                reward: rewardOf(checkpointDigest!, documentId),
              })),
            ),
        ),
      )
      state = foldRound(config, round, state, columns)
    }
    const corpus = new MemoryCorpus(config.actors.map(({ subcategories }) => subcategories.length))
    for (const { docId, tokens } of documents) {
      corpus.add(
        asDocumentId(docId),
        tokens,
        config.actors.map(({ name }) => subcategoryOf(name, docId)),
      )
    }
    const weights = state.actors.map((memory) => memory.weights)
    const ids: bigint[] = []
    for await (const piece of (await select(corpus, config, round, weights, state.theta)).ids) ids.push(...piece)
    rounds.push({ round, theta: state.theta, weights, ids })
  }
  return rounds
}

describe('the whole dataflow in memory', () => {
  test('selects in every round what the pure functions select', async () => {
    const run = tinyRun()
    const { driver, manifests, selected } = await runLoop(run)
    const opened = driver
      .records(runTopics(run.name).consoleState.name)
      .filter(({ record }) => record === 'RoundOpened')
      .map(({ value }) => value as RoundOpened)
    expect(manifests.map(({ round }) => round)).toEqual([0, 1, 2, 3])
    const rounds = await expected(run, opened)
    expect(manifests.map(({ round, theta, weights }, i) => ({ round, theta, weights, ids: selected[i] }))).toEqual(
      rounds,
    )
    expect(manifests[3]!.theta).not.toEqual(manifests[0]!.theta)
  })

  test('asks for the n documents of each subcategory with the smallest keys', async () => {
    const run = tinyRun()
    const { driver } = await runLoop(run)
    expect(requestsOf(driver, run.name).filter(({ round }) => round === 1)).toHaveLength(6 * (2 + 3))
  })

  test('gives the same bits whatever the interleaving and the number of partitions', async () => {
    const run = tinyRun()
    const reference = await runLoop(run)
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 5 }), async (seed, partitions) => {
        let state = seed | 0
        const schedule = (choices: number) => {
          state = (Math.imul(state, 1664525) + 1013904223) | 0
          return (state >>> 8) % choices
        }
        const { manifests, selected, driver } = await runLoop(run, schedule, partitions)
        const decisive = ({ labelOffsets: _, ...manifest }: (typeof manifests)[number]) => manifest
        expect(manifests.map(decisive)).toEqual(reference.manifests.map(decisive))
        expect(selected).toEqual(reference.selected)
        expect(driver.rejected).toEqual([])
      }),
      { numRuns: 25 },
    )
  })

  test('a control run without samples and with theta 0 selects at random, and differently each round', async () => {
    const actors = {
      shape: { subcategories: ['round', 'square'], initialTheta: 0 },
      colour: { subcategories: ['red', 'green', 'blue'], initialTheta: 0 },
    }
    const { manifests, selected } = await runLoop(tinyRun({ actors }, { sampleDocuments: 0 }))
    expect(manifests.map(({ threshold }) => threshold)).toEqual([0, 0, 0, 0])
    expect(new Set(selected.map(String)).size).toBe(4)
  })

  test('counts reads if the run’s settings need them', async () => {
    const { selected } = await runLoop(tinyRun({ repeat: 'exclude' }))
    // The trainer had read 7 documents of each selection when the next round opened.
    for (let round = 1; round < selected.length; round++) {
      const read = new Set(selected.slice(0, round).flatMap((ids) => ids.slice(0, 7)))
      expect(selected[round]!.filter((id) => read.has(id))).toEqual([])
      expect(selected[round]).toHaveLength(30)
    }
  })

  test('a report without a checkpoint, or an older one with one, does not hide the checkpoint that opens a round', async () => {
    const run = tinyRun()
    const { driver, manifests } = await runLoop(run, undefined, 3, run.updateSteps)
    expect(manifests.map(({ round }) => round)).toEqual([0])
    const report = (step: number, hasCheckpoint: boolean): Progress => ({
      ...{ run: run.name, step, tokens: step, round: 0, position: 7, trainLoss: 1 },
      ...{ referenceLoss: null, corpusLoss: null },
      checkpoint: hasCheckpoint ? { path: `step-${step}`, digest: 'x'.repeat(step), step } : null,
    })
    const due = 2 * run.updateSteps
    const reports = [report(due, true), report(due + 1, false), report(run.updateSteps, true), report(due + 2, false)]
    const topic = runTopics(run.name).progress.name
    driver.append(reports.map((value) => ({ topic, record: Progress, key: run.name, value })))
    await driver.run()
    expect(manifests.map(({ round, step }) => ({ round, step }))).toEqual([
      { round: 0, step: 0 },
      { round: 2, step: due },
    ])
  })

  test('refuses rewards that are late, unknown or not finite, and counts the first of several', async () => {
    const run = tinyRun()
    const { driver, manifests, selected } = await runLoop(run)
    const { rewards, actorState, consoleState } = runTopics(run.name)
    const before = driver.records(actorState.name).length
    const some = driver.records(rewards.name)[0]!.value as Reward
    const bad: Reward[] = [
      { ...some, reward: 99 },
      { ...some, round: 77 },
      { ...some, actor: 'nobody' },
    ]
    driver.append(bad.map((value) => ({ topic: rewards.name, record: Reward, key: `${value.docId}`, value })))
    await driver.run()
    expect(driver.rejected.map(({ reason }) => reason).sort()).toEqual(['late', 'late', 'unknown-round'])
    expect(driver.records(actorState.name)).toHaveLength(before)
    const closed = driver.records(consoleState.name).filter(({ record }) => record === 'RoundClosed')
    expect(closed.map(({ value }) => (value as RoundClosed).reason)).toEqual([
      'answered',
      'answered',
      'answered',
      'answered',
    ])
    expect(selected).toHaveLength(manifests.length)
  })

  test('every station can be restarted from the log at any time without changing anything', async () => {
    const run = tinyRun()
    const { driver, ports, stations } = await runLoop(run)
    const lengths = () =>
      [...driver.log].map(([topic, partitions]) => [topic, partitions.map((records) => records.length)])
    const before = lengths()
    for (const station of stations.filter(({ kind }) => kind === 'console' || kind === 'actor')) {
      await driver.start(station, (output) => station.build(ports, output))
    }
    await driver.run()
    expect(lengths()).toEqual(before)
    const states = driver.records(runTopics(run.name).actorState.name).map(({ value }) => value as ActorState)
    expect(states.filter(({ actor }) => actor === actorsOf(run)[0])).toHaveLength(4)
  })
})
