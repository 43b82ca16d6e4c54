import { expect, test } from 'vitest'
import { Manifest, runTopics } from '../../../../schemas/index.ts'
import { readManifests, readRecordedRun } from '../../../../services/runs/recorded.ts'
import { listRuns } from '../../../../services/runs/registry.ts'
import { replayRun } from '../../../../services/runs/replay/changes.ts'
import { replay } from '../../../../services/runs/replay/replay.ts'
import { fillByParity, memoryRuntime, parityRun, recordRun } from '../../../support/memory-runtime.ts'

/** Odd documents help. */
const rewardOf = (text: string) => (Number(text.split(' ')[1]) % 2 === 0 ? -1 : 1)

async function recorded(selection: object = {}) {
  const runtime = await memoryRuntime()
  await fillByParity(runtime.store, 20)
  const run = parityRun('original', selection)
  const manifests = await recordRun(runtime, run, rewardOf)
  return { runtime, run, manifests }
}

test.each([{}, { repetitionDecay: 0.5 }, { repeat: 'exclude' }, { firstSelection: 'weights', update: 'additive' }])(
  'replaying a run with %j gives the same bits and leaves the original untouched',
  async (selection) => {
    const { runtime, run, manifests } = await recorded(selection)
    const progress: [number, number][] = []
    const rounds = await replay({
      runtime,
      recorded: run,
      replay: replayRun(run, 'again'),
      onProgress: (...at) => progress.push(at),
    })
    expect(rounds).toEqual(
      manifests.map(({ round, documents }) => ({
        ...{ round, same: true, firstDifference: undefined },
        documents: [documents, documents],
        common: documents,
      })),
    )
    expect(progress).toEqual([
      [0, 3],
      [1, 3],
      [2, 3],
    ])
    expect(await readManifests(runtime, 'original')).toEqual(manifests)
    expect((await listRuns(runtime)).get('again')).toMatchObject({ replayOf: 'original' })
    expect(await readRecordedRun(runtime, 'again')).toMatchObject({ opened: [{}, {}, {}], closed: [{}, {}, {}] })
  },
)

test('with another budget the manifests differ, and documents selected by both are counted', async () => {
  const { runtime, run } = await recorded()
  const rounds = await replay({
    runtime,
    recorded: run,
    replay: replayRun(run, 'larger', { budget: { documents: 9 } }),
  })
  expect(
    rounds.map(({ same, firstDifference, documents, common }) => [same, firstDifference, documents, common]),
  ).toEqual([
    [false, 'documents: 6 and 9', [6, 9], 6],
    [false, 'documents: 6 and 9', [6, 9], 6],
    [false, 'documents: 6 and 9', [6, 9], 6],
  ])
})

test('a run with a price replays to the bit, and a price may be tried on the rewards of a run without one', async () => {
  const runtime = await memoryRuntime()
  await fillByParity(runtime.store, 20)
  const reference = { reward: 'r', other: 'o', evaluation: 'e', corpus: 'c' }
  const price = { weight: 3, bound: 0.25 }
  // Odd documents help, and harm other text.
  const score = (text: string) => ({ reward: rewardOf(text), tasks: [rewardOf(text), -rewardOf(text)] })
  const priced = parityRun('priced', { price }, { reference })
  const free = parityRun('free', {}, { reference })
  const [withPrice, without] = [await recordRun(runtime, priced, score), await recordRun(runtime, free, score)]
  expect(withPrice[1]!.weights).toEqual([[-0.25, -0.375]])
  expect(without[1]!.weights).toEqual([[-0.25, 0.75]])
  const again = await replay({ runtime, recorded: priced, replay: replayRun(priced, 'again') })
  expect(again.map(({ same }) => same)).toEqual([true, true, true])
  await replay({ runtime, recorded: free, replay: replayRun(free, 'tried', { price }) })
  const tried = await readManifests(runtime, 'tried')
  expect(tried.map(({ weights, selectionDigest }) => [weights, selectionDigest])).toEqual(
    withPrice.map(({ weights, selectionDigest }) => [weights, selectionDigest]),
  )
  expect(() => replayRun(parityRun('none'), 'refused', { price })).toThrow('needs reference.other')
})

test('a recorded selection that does not follow from the log is detected', async () => {
  const { runtime, run, manifests } = await recorded()
  const { consoleState } = runTopics(run.name)
  const forged = { ...manifests[1]!, weights: [[0.25, 0.75]] }
  const producer = await runtime.kafka.producer()
  await producer.send([{ topic: consoleState.name, key: 'selected/1', value: runtime.codec.encode(Manifest, forged) }])
  const rounds = await replay({ runtime, recorded: run, replay: replayRun(run, 'again') })
  expect(rounds.map(({ same }) => same)).toEqual([true, false, true])
  const [even] = manifests[1]!.weights[0]!
  expect(rounds[1]!.firstDifference).toBe(`weights: actor parity, subcategory 0: 0.25 and ${even}`)
})

test('a replay under the run’s own name is refused, and so is one of a run without selections', async () => {
  const runtime = await memoryRuntime()
  const run = parityRun('original')
  await expect(replay({ runtime, recorded: run, replay: run })).rejects.toMatchObject({ code: 'CONFIGURATION' })
  const { name, cleanup, retentionMs } = runTopics('original').consoleState
  await runtime.kafka.createTopics([{ name, cleanup, retentionMs, partitions: 1 }])
  await expect(replay({ runtime, recorded: run, replay: replayRun(run, 'again') })).rejects.toThrow(
    'run original has selected nothing yet',
  )
  expect(await listRuns(runtime)).toEqual(new Map())
})
