import { test } from 'vitest'
import { casesOf } from './cases.ts'
import { expectConsole, expectRewards } from './compare.ts'
import { filledWorld } from './filled-world.ts'
import { playWithKills } from './play.ts'

const filled = filledWorld()

// In a batch: with its requests in hand, with answers that are not committed as answered.
const kills = casesOf('influence', { landing: 5, soak: 50 }, { decoded: 12, 'sent Reward': 12 })

test.concurrent.for(kills)(
  'if an influence worker is killed at $name, each request still counts as answered once, and every round closes',
  async ({ crashes }, { onTestFinished }) => {
    const run = await playWithKills(filled.world, 'influence', crashes, onTestFinished)
    await expectRewards(filled.world, run, filled.expected)
    await expectConsole(filled.world, run, filled.expected)
  },
)
