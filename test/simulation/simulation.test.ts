import { describe, expect, test } from 'vitest'
import { type Manifest, type RoundOpened, topics } from '../../schemas/index.ts'
import { type Faults, noFaults } from '../support/fault-driver.ts'
import type { NaiveConfig } from '../topologies/selection/naive.ts'
import { checkLedger } from './ledger.ts'
import { check } from './oracle.ts'
import { World, type WorldOptions } from './world.ts'

/** `SEED=n` runs one seed; WINNOW_FAULT_SOAK=1 (npm run soak) as many as a soak is to have. */
const only = process.env.SEED
const soaking = process.env.WINNOW_FAULT_SOAK === '1'
const timeout = soaking ? 4 * 3600_000 : 300_000

const options: Partial<NaiveConfig>[] = [
  {},
  { budget: { tokens: 150 } },
  { repeat: 'exclude', price: { weight: 2, bound: 0.05 } },
  { repetitionDecay: 0.3, update: 'additive' },
  { collaboration: 'competitive', unrewarded: 'mean' },
  { collaboration: 'single:colour', rewardTransform: { kind: 'exp', scale: 0.5 } },
  { rewardTransform: { kind: 'identity' }, firstSelection: 'weights' },
  { normalize: 'sum', rewardTransform: { kind: 'exp', scale: 0.5 } },
  { collaboration: 'joint', joint: { weighting: 'corpus', cells: { eta: 0.5 } } },
]

/** The selection of test/topologies/loop.ts's run, and what a seed changes of it. */
function configOf(seed: number): NaiveConfig {
  return {
    seed: 11,
    actors: {
      shape: { subcategories: ['round', 'square'], eta: 0.5 },
      colour: { subcategories: ['red', 'green', 'blue'], eta: 0.5 },
    },
    rewardTransform: { kind: 'standardize' },
    budget: { documents: 30 },
    ...options[seed % options.length]!,
  }
}

async function play(given: Omit<WorldOptions, 'selection'>): Promise<{ world: World; manifests: Manifest[] }> {
  const config = configOf(given.seed)
  const world = new World({ ...given, selection: config })
  await world.play()
  checkLedger(world)
  return { world, manifests: check(world, config) }
}

/** Everything but where records stood. */
const bits = (world: World, manifests: Manifest[]) =>
  manifests.map(({ labelOffsets: _, chunkOffsetFirst: __, parts: ___, ...rest }) => ({
    ...rest,
    selected: world.selected({ ...rest, labelOffsets: _, chunkOffsetFirst: __, parts: ___ }),
  }))

/** @throws Error that names the first seed that fails, and how to run it alone */
async function seeds(counts: { landing: number; soak: number }, one: (seed: number) => Promise<void>): Promise<void> {
  const count = soaking ? counts.soak : counts.landing
  const [first, last] = only === undefined ? [1, count] : [Number(only), Number(only)]
  for (let seed = first; seed <= last; seed++) {
    try {
      await one(seed)
    } catch (error) {
      const alone = `SEED=${seed} npx vitest run --project unit test/simulation -t '${expect.getState().currentTestName}'`
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}\nalone: ${alone}`, {
        cause: error,
      })
    }
  }
}

/** The same world without any fault has the same inputs: the bits must be the same. */
async function leavesNoTrace(seed: number, faults: Partial<Faults>, more: object = {}): Promise<World> {
  const orderly = { seed, unruly: false, poison: false, more }
  const disturbed = await play({ ...orderly, faults: { ...noFaults, ...faults } })
  const undisturbed = await play({ ...orderly, faults: noFaults })
  expect(bits(disturbed.world, disturbed.manifests)).toEqual(bits(undisturbed.world, undisturbed.manifests))
  return disturbed.world
}

describe('the dataflow under simulated faults', () => {
  const totals: Record<string, number> = {}
  let readLater = 0
  let excluding = 0
  const count = (world: World) => {
    for (const [fault, times] of Object.entries(world.driver.counts)) totals[fault] = (totals[fault] ?? 0) + times
  }

  test('duplicates and replays of old batches change no bit of the result', { timeout }, () =>
    seeds({ landing: 200, soak: 5_000 }, async (seed) =>
      count(await leavesNoTrace(seed, { rewind: 0.05, replay: 0.1, rebalance: 0.02 })),
    ),
  )

  test('reordering across partitions changes no bit of the result', { timeout }, () =>
    seeds({ landing: 300, soak: 20_000 }, async (seed) => {
      const ordered = (schedule: number) => play({ seed, schedule, faults: noFaults, unruly: false, poison: false })
      const [one, other] = [await ordered(2 * seed), await ordered(2 * seed + 1)]
      expect(bits(one.world, one.manifests)).toEqual(bits(other.world, other.manifests))
      expect(one.manifests).toHaveLength(4)
    }),
  )

  test('a clock that jumps by hours, also backwards, decides when a round closes and nothing else', { timeout }, () =>
    seeds({ landing: 20, soak: 2_000 }, async (seed) => {
      count(await leavesNoTrace(seed, { clock: 0.1 }, { rewardDeadlineSeconds: 10 * 365 * 24 * 3600 }))
      count((await play({ seed, faults: { ...noFaults, clock: 0.05 }, unruly: true, poison: false })).world)
    }),
  )

  test('with all faults at once the end state equals the oracle’s, and is reached once faults stop', { timeout }, () =>
    seeds({ landing: 1_200, soak: 100_000 }, async (seed) => {
      const faults = {
        lost: 0.03,
        unknown: 0.03,
        crash: 0.02,
        zombie: 0.3,
        torn: 0.1,
        rewind: 0.02,
        replay: 0.02,
        rebalance: 0.02,
        clock: 0.02,
      }
      const { world } = await play({ seed, faults, unruly: true, poison: true })
      count(world)
      readLater += world.decisions<RoundOpened>('RoundOpened').filter(({ reads }) => reads.length > 0).length
    }),
  )

  test(
    'what is excluded is out from the next round on and back in when it is lifted, under all faults at once',
    {
      timeout,
    },
    () =>
      seeds({ landing: 120, soak: 20_000 }, async (seed) => {
        const faults = { ...noFaults, lost: 0.03, unknown: 0.03, crash: 0.02, zombie: 0.3, torn: 0.1, rewind: 0.02 }
        const { world } = await play({ seed, faults, unruly: true, poison: false, excluding: true })
        count(world)
        const all = world.decisions<RoundOpened>('RoundOpened').flatMap(({ labelOffsets }) => labelOffsets)
        excluding += all.some(({ topic }) => topic === topics.exclusions.name) ? 1 : 0
      }),
  )

  test('every kind of fault occurred', () => {
    if (only !== undefined) return
    for (const fault of Object.keys(noFaults)) expect([fault, totals[fault]! > 0]).toEqual([fault, true])
    // Openings that know of more reads of earlier selections than those before.
    expect(readLater).toBeGreaterThan(0)
    expect(excluding).toBeGreaterThan(0)
  })
})
