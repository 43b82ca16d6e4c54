import { afterAll, beforeAll, test } from 'vitest'
import { casesOf } from './cases.ts'
import { expectActors, expectConsole } from './compare.ts'
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

const kills = casesOf(
  'actor',
  { landing: 5, soak: 100 },
  { polled: 12, decoded: 12, 'sending ActorState': 7, 'sent ActorState': 7, processed: 12 },
)

test.concurrent.for(kills)(
  'an actor killed at $name has folded every round to the same bits',
  async ({ crashes }, { onTestFinished }) => {
    const run = await playWithKills(world, 'actor shape', crashes, onTestFinished)
    await expectActors(world, run, expected)
    await expectConsole(world, run, expected)
  },
)
