import type { Run } from '../../schemas/index.ts'
import { parseRunConfig, type RunConfig, runConfigJson } from '../../topologies/run-config.ts'

/** A run as it is recorded. */
export const recordOf = (config: RunConfig, more: Partial<Run> = {}): Run => ({
  run: config.name,
  config: runConfigJson(config),
  replayOf: null,
  selectionVersion: 2,
  life: 'active',
  recordedMs: 1,
  ...more,
})

/** Subcategories by actor. */
export type Actors = Readonly<Record<string, readonly string[]>>

export interface RunOptions {
  readonly actors?: Actors
  /** Of every actor. Default: that of the configuration. */
  readonly eta?: number
  readonly selection?: object
}

/** The least that makes a run; what a test is about it says itself. Every labeler has version v1. */
export function testRun(
  name: string,
  { actors = { quality: ['low', 'high'] }, eta, selection, ...more }: RunOptions & Record<string, unknown> = {},
): RunConfig {
  const of = (subcategories: readonly string[]) => ({ subcategories, ...(eta !== undefined && { eta }) })
  return parseRunConfig({
    name,
    selection: {
      seed: 11,
      actors: Object.fromEntries(Object.entries(actors).map(([actor, subcategories]) => [actor, of(subcategories)])),
      budget: { documents: 10 },
      ...selection,
    },
    updateSteps: 10,
    steps: 100,
    labelers: Object.fromEntries(Object.keys(actors).map((actor) => [actor, 'v1'])),
    reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
    model: 'm',
    checkpoints: 'k',
    ...more,
  })
}

/** Two actors whose subcategories are of different numbers. */
export const shapeAndColour = { shape: ['round', 'square'], colour: ['red', 'green', 'blue'] } as const
