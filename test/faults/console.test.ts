import { expect, test } from 'vitest'
import { casesOf } from './cases.ts'
import { expectActors, expectConsole, expectRewards } from './compare.ts'
import { filledWorld } from './filled-world.ts'
import { play, playWithKills } from './play.ts'

const filled = filledWorld()

const kills = casesOf(
  'console',
  { landing: 5, soak: 100 },
  {
    // While it samples, folds, and emits a selection in parts, each a transaction.
    'sent RewardRequest': 6,
    'committing RoundOpened': 7,
    polled: 12,
    'committed RoundClosed': 7,
    'sent SelectionChunk': 12,
    'committing SelectionChunk': 7,
    'committed SelectionChunk': 7,
    'committed Manifest': 7,
  },
)

test.concurrent.for(kills)(
  'a console killed at $name loses, repeats and reorders nothing',
  async ({ crashes }, { onTestFinished }) => {
    const run = await playWithKills(filled.world, 'console', crashes, onTestFinished)
    await expectConsole(filled.world, run, filled.expected)
    await expectActors(filled.world, run, filled.expected)
    await expectRewards(filled.world, run, filled.expected)
  },
)

const zombies = casesOf(
  'zombie console',
  { landing: 1, soak: 10 },
  { 'sent RewardRequest': 3, 'committing Manifest': 4, polled: 6 },
)

test.concurrent.for(zombies)(
  'a console suspended at $name is fenced if it wakes after another has taken over',
  async ({ crashes }, { onTestFinished }) => {
    const { run, start, played } = await play(filled.world, 'console', onTestFinished)
    const zombie = start({ ...crashes[0]!, signal: 'SIGSTOP' })
    const done = played()
    await zombie.said(`reached ${crashes[0]!.point}`)
    const successor = start()
    await done
    zombie.signal('SIGCONT')
    expect(await zombie.exited()).toBe(3)
    expect(zombie.errors).toContain('FENCED')
    await successor.stop()
    await expectConsole(filled.world, run, filled.expected)
    await expectActors(filled.world, run, filled.expected)
  },
)
