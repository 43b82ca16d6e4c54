import { asDocumentId, type Document } from '../../schemas/index.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'
import type { LabelResult } from '../../topologies/stations/labeling.ts'
import { shapeAndColour, testRun } from '../support/run.ts'

/**
 * A corpus, labels and rewards that are pure functions of a number: what a run makes of them can be computed again, by anyone, also in
 * another process. More documents than two chunks of the selected-index stream hold are selected of it.
 */
export const documentCount = 10_000
const words = 'harbour ship dawn gulls cliff rain flour butter bread salt honey invoice units total tax march'.split(
  ' ',
)

export const documentAt = (n: number): Document => ({
  docId: asDocumentId(splitmix64(BigInt(n))),
  text: `document ${n} ${Array.from({ length: 6 + (n % 9) }, (_, i) => words[(n * 7 + i * (n % 5)) % words.length]).join(' ')}`,
  tokens: 5 + (n % 4),
  meta: '{}',
})

export const subcategories = shapeAndColour

/** The documents' texts begin with their numbers. */
const idOfText = (text: string): bigint => splitmix64(BigInt(text.split(' ')[1]!))

export const labelOf = (actor: string, text: string): LabelResult => ({
  ok: true,
  subcategory: Number(splitmix64(idOfText(text) ^ BigInt(actor.length)) % (actor === 'shape' ? 2n : 3n)),
  score: 1,
})

export const labelModel = (actor: string) => ({
  actor,
  version: 'v1',
  label: async (inputs: { text: string }[]) => inputs.map(({ text }) => labelOf(actor, text)),
})

/** Depends on checkpoint and text: a reward of another round is another number. */
export const rewardOf = (checkpoint: string, text: string): number =>
  Number(splitmix64(idOfText(text) ^ BigInt(checkpoint.length)) % 2001n) / 1000 - 1

export const influence = {
  graphDigest: 'graph',
  estimator: 'test',
  projectionSeed: '0',
  score: async ({ digest }: { digest: string }, texts: readonly string[]) =>
    texts.map((text) => rewardOf(digest, text)),
}

/** Seven rounds: before training and after 10, 20, ... steps. */
export const runNamed = (name: string, more: object = {}): RunConfig =>
  testRun(name, {
    actors: subcategories,
    eta: 0.5,
    selection: { rewardTransform: { kind: 'standardize' }, budget: { documents: 9000 } },
    steps: 70,
    sampleDocuments: 6,
    ...more,
  })
