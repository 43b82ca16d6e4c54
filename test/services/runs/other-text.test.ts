import { beforeAll, expect, test } from 'vitest'
import { asDocumentId, RoundOpened, runTopics, SelectionChunk } from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import { startRunHost } from '../../../services/host/run-host.ts'
import { readManifests, readTopic } from '../../../services/runs/recorded.ts'
import { runNamed, submitRun } from '../../../services/runs/registry.ts'
import { explainStrategy } from '../../../topologies/explain-strategy.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import { defaultStrategy } from '../../../topologies/selection/strategy.ts'
import { cliOn, sayingOn } from '../../support/cli.ts'
import { blocksFor, commandsIn } from '../../support/documents.ts'
import { until } from '../../support/kafka.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const folder = temporaryFolder('other-text')
/** Odd documents help, so without a bound all that is selected is odd. */
const rewardOf = (text: string) => (Number(text.split(' ')[1]) % 2 === 0 ? -1 : 1)
const pause = async () => {}

let runtime: MemoryRuntime
let winnow: ReturnType<typeof cliOn>
const says = sayingOn(() => winnow)

/** A control whose loss is 5 throughout, and a run of eight rounds whose loss rises by 0.05 a round, bounded until somebody lifts that. */
beforeAll(async () => {
  runtime = await memoryRuntime()
  await fillByParity(runtime.store, 80)
  winnow = cliOn(runtime, { actors: [] } as unknown as Config, folder)
  await recordRun(runtime, parityRun('random', {}, { steps: 16, sampleDocuments: 0 }), rewardOf, pause, pause, () => 5)
  const guards = {
    other: { bound: 0.3, from: 0.1, fall: 0.5, against: 'random', by: 'ada', why: 'it has to talk as well' },
  }
  const run = parityRun('bounded', { guards, budget: { documents: 20 } }, { steps: 16 })
  const before = async (round: number) => {
    if (round === 5) {
      expect(await says('run', 'show', 'bounded')).toContain(
        'round 4: 50% from the natural mixture: loss on other text 5.200 at step 8, +0.200 over 5.000',
      )
      await says(
        'steer',
        'bounded',
        '--other-text',
        '0.5',
        '--against',
        '4.95',
        '--fall',
        '0.1',
        '--by',
        'ada',
        '--why',
        'no control',
      )
      expect(await says('run', 'show', 'bounded')).toContain(
        'other text: at most +0.5 nats over 4.95, natural mixture from +0.25 on, its share falling by 0.1 a round at most, from the next round on',
      )
    }
    if (round === 7) await says('steer', 'bounded', '--other-text', '0', '--by', 'ada', '--why', 'done')
  }
  await recordRun(runtime, run, rewardOf, before, pause, (step) => 5 + step / 40)
})

const openings = async (run: string) =>
  (await readTopic(runtime, runTopics(run).consoleState.name)).flatMap(({ record, value }) =>
    record === RoundOpened.name ? [value as RoundOpened] : [],
  )

async function selectedIn(run: string, round: number): Promise<bigint[]> {
  const chunks = (await readTopic(runtime, runTopics(run).selections.name)).flatMap(({ record, value }) =>
    record === SelectionChunk.name ? [value as SelectionChunk] : [],
  )
  return chunks.flatMap((chunk) => (chunk.round === round ? [...chunk.docIds] : []))
}

test('each opening has the loss, what it was held against and the share that follows, and the selection is drawn by that', async () => {
  const told = (await openings('bounded')).map(
    ({ otherText }) => otherText && [otherText.share, otherText.step, otherText.loss, otherText.heldAgainst],
  )
  expect(told).toEqual([
    // Falls by half a round from 1 before the first.
    [0.5, null, null, null],
    [0, 2, 5.05, 5],
    [0, 4, 5.1, 5],
    [0.25, 6, 5.15, 5],
    [0.5, 8, 5.2, 5],
    // Held against 4.95 from here on, from +0.25 on, which were a share of 0.2; it falls by 0.1 from now on.
    [0.4, 10, 5.25, 4.95],
    [0.4, 12, 5.3, 4.95],
    null,
  ])
  const manifests = await readManifests(runtime, 'bounded')
  // In round 0 all are of one level. Then of twenty documents 5, 10, 8 and 8 are natural, and half of the corpus is even.
  expect(manifests.map(({ strata }) => strata?.map(({ documents }) => documents) ?? null)).toEqual([
    ...[[20, 0], null, null, [18, 2], [15, 5], [16, 4], [16, 4], null],
  ])
  const selected = await Promise.all(manifests.map(({ round }) => selectedIn('bounded', round)))
  expect(selected.slice(1).map((ids) => ids.filter((id) => id % 2n === 0n).length)).toEqual([0, 0, 2, 5, 4, 4, 0])
})

test('a replay has the shares of the log, needs no other run, and is the same to the bit', async () => {
  await runtime.kafka.deleteTopics([runTopics('random').progress.name])
  expect(await says('replay', '--run', 'bounded')).toContain('8 rounds of bounded and bounded-replay-1 are the same')
})

test('a shadow, which has no trainer of its own, has the shares of the run that it follows', async () => {
  await says('run', 'shadow', 'bounded', '--as', 'same')
  const host = await startRunHost(runtime, {
    only: new Set(['same']),
    onFailure: (error) => expect.unreachable(String(error)),
  })
  await until(async () => (await readManifests(runtime, 'same').catch(() => [])).length === 8)
  await host.close()
  const digests = async (run: string) => (await readManifests(runtime, run)).map((one) => one.selectionDigest)
  expect(await digests('same')).toEqual(await digests('bounded'))
})

test('run show has the bound with who and why, and what was steered', async () => {
  const shown = await says('run', 'show', 'bounded')
  expect(shown).toContain(
    'steered by ada (no control): other text: at most +0.5 nats over 4.95, natural mixture from +0.25 on, its share falling by 0.1 a round at most, from round 5 on',
  )
  expect(shown).toContain('steered by ada (done): any loss on other text, from round 7 on')
})

test('an explanation says what the natural mixture drew, and what it did not', async () => {
  const [manifest] = (await readManifests(runtime, 'bounded')).filter(({ round }) => round === 4)
  const recorded = await runNamed(runtime, 'bounded')
  const { selection } = configurationBy(recorded, await openings('bounded')).at(4)
  const selected = await selectedIn('bounded', 4)
  const words = new Map<string, Set<string>>()
  for (let n = 0; n < 80; n++) {
    const docId = asDocumentId(BigInt(n))
    const document = { docId, labels: [n % 2], reads: 0, tookPart: true, tokens: 10 + n, scores: [1] }
    const round = { conditions: [], labelScore: null }
    const { verdict, flip } = explainStrategy(selection, defaultStrategy, manifest!, document, round)
    expect([n, verdict === 'selected']).toEqual([n, selected.includes(docId)])
    const kind = `${n % 2 === 0 ? 'even' : 'odd'}: ${verdict}`
    words.set(kind, (words.get(kind) ?? new Set()).add(flip))
  }
  const share =
    'the natural mixture, 50% of the budget (other text: at most +0.3 nats over run random, natural mixture from +0.1 on, its share falling by 0.5 a round at most (ada: it has to talk as well))'
  const draw = '5 of the 40 documents that no score took were drawn for it, by the seed'
  expect(Object.fromEntries([...words].map(([kind, flips]) => [kind, [...flips]]))).toEqual({
    'even: selected': [`${share}: ${draw}`],
    'even: below the threshold': [`a higher score, or the draw of ${share}: ${draw}`],
    'odd: selected': ['the draw: 15 of 40 documents of the pool were taken, by the seed'],
    'odd: lost the draw among equals': ['the draw: 15 of 40 documents of the pool were taken, by the seed'],
  })
})

test('a bound that nothing can be held against is refused, with what to do', async () => {
  const bounded = (against: string) => parityRun('other', { guards: { other: { bound: 0.2, against } } })
  await expect(submitRun(runtime, bounded('nobody'))).rejects.toThrow('there is no run nobody')
  await expect(submitRun(runtime, bounded('other'))).rejects.toThrow('cannot be held against that of other')
  await submitRun(runtime, parityRun('still'))
  const refused = async (...args: string[]) => (await winnow('steer', 'still', ...args, '--why', 'x')).stderr
  expect(await refused('--other-text', '0.2', '--against', 'nobody')).toContain('there is no run nobody')
  expect(await refused('--other-text', '0.2', '--from', '0.3')).toContain('from 0.3 must be below the bound, 0.2')
  expect(await refused('--other-text', 'much')).toContain('must be a number of nats per token')
  expect(await refused('--against', '5')).toContain('Give the bound as well')
})

test('the commands that documents give for it work', async () => {
  await submitRun(runtime, parityRun('random-7'))
  await submitRun(runtime, parityRun('multi-actor-7'))
  for (const command of blocksFor('services/runs/other-text').flatMap(({ text }) => commandsIn(text))) {
    const words = command
      .trim()
      .match(/'[^']*'|\S+/g)!
      .map((word) => word.replaceAll("'", ''))
    expect([command, await winnow(...words.slice(2))]).toMatchObject([command, { code: 0 }])
  }
})
