import { afterAll, beforeAll } from 'vitest'
import { runNamed } from './corpus.ts'
import { computeExpected, type Expected } from './oracle.ts'
import { fill, openWorld, type World } from './world.ts'

export interface FilledWorld {
  readonly world: World
  /** What a run on its corpus must come to. */
  readonly expected: Expected
}

/** A world of a file's tests, with the corpus of corpus.ts labelled and sunk: opened before them, closed after them. */
export function filledWorld(): FilledWorld {
  let opened: FilledWorld | undefined
  beforeAll(async () => {
    const expected = await computeExpected(runNamed('oracle'))
    const world = await openWorld()
    await fill(world, expected)
    opened = { world, expected }
  })
  afterAll(() => opened?.world.close())
  return {
    get world() {
      return opened!.world
    },
    get expected() {
      return opened!.expected
    },
  }
}
