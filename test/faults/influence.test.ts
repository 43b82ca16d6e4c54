import { afterAll, beforeAll, test } from 'vitest'
import { casesOf } from './cases.ts'
import { expectConsole, expectRewards } from './compare.ts'
import { runNamed } from './corpus.ts'
import { computeExpected, type Expected } from './oracle.ts'
import { playWithKills } from './play.ts'
import { fill, openWorld, type World } from './world.ts'

let world: World
let expected: Expected
beforeAll(async () => {
  expected = await computeExpected(runNamed('oracle'))
  world = await openWorld()
  await fill(world, expected)
})
afterAll(() => world.close())

// In a batch: with its requests in hand, with answers that are not committed as answered.
const kills = casesOf('influence', { landing: 5, soak: 50 }, { decoded: 12, 'sent Reward': 12 })

test.concurrent.for(kills)(
  'an influence worker killed at $name answers each request in effect once, and every round closes',
  async ({ crashes }, { onTestFinished }) => {
    const run = await playWithKills(world, 'influence', crashes, onTestFinished)
    await expectRewards(world, run, expected)
    await expectConsole(world, run, expected)
  },
)
