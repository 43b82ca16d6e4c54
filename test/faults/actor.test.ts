import { test } from 'vitest'
import { casesOf } from './cases.ts'
import { expectActors, expectConsole } from './compare.ts'
import { filledWorld } from './filled-world.ts'
import { playWithKills } from './play.ts'

const filled = filledWorld()

const kills = casesOf(
  'actor',
  { landing: 5, soak: 100 },
  { polled: 12, decoded: 12, 'sending ActorState': 7, 'sent ActorState': 7, processed: 12 },
)

test.concurrent.for(kills)(
  'an actor killed at $name still folds every round to the same bits',
  async ({ crashes }, { onTestFinished }) => {
    const run = await playWithKills(filled.world, 'actor shape', crashes, onTestFinished)
    await expectActors(filled.world, run, filled.expected)
    await expectConsole(filled.world, run, filled.expected)
  },
)
