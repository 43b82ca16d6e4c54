import { asDocumentId, type RewardRequest, runTopics } from '../../schemas/index.ts'
import { dataflow } from '../../topologies/dataflow.ts'
import type { InMemoryDriver, Scheduler } from '../../topologies/driver.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'
import { type Act, drive } from '../support/drive.ts'
import { shapeAndColour, testRun } from '../support/run.ts'

/** A tiny corpus whose labels and rewards are pure functions of the id: what the loop makes of it can be computed by hand or again. */
export const documents = Array.from({ length: 120 }, (_, n) => ({
  docId: asDocumentId(splitmix64(BigInt(n))),
  text: `document ${n}`,
  tokens: 5 + (n % 4),
  meta: '{}',
}))

export const subcategoryOf = (actor: string, docId: bigint): number =>
  Number(splitmix64(docId ^ BigInt(actor.length)) % (actor === 'shape' ? 2n : 3n))

export const rewardOf = (checkpoint: string, docId: bigint): number =>
  Number(splitmix64(docId ^ BigInt(checkpoint.length)) % 2001n) / 1000 - 1

export const tinyRun = (selection: object = {}, more: object = {}): RunConfig =>
  testRun('tiny', {
    actors: shapeAndColour,
    eta: 0.5,
    selection: { rewardTransform: { kind: 'standardize' }, budget: { documents: 30 }, ...selection },
    steps: 40,
    sampleDocuments: 6,
    ...more,
  })

const docIdOf = (text: string): bigint => documents.find((document) => document.text === text)!.docId

/** Runs the whole dataflow in memory: labels, then a trainer that reports every U steps as soon as its selection is there. */
export async function runLoop(
  run: RunConfig,
  schedule?: Scheduler,
  partitions = 3,
  stepsReported = run.steps,
  acts: Readonly<Record<number, Act>> = {},
) {
  const driven = await drive(run, {
    documents,
    labelModel: (actor) => ({
      actor,
      version: 'v1',
      label: async (inputs) =>
        inputs.map(({ text }) => ({ ok: true, subcategory: subcategoryOf(actor, docIdOf(text)), score: 1 })),
    }),
    influence: {
      graphDigest: 'graph',
      estimator: 'test',
      projectionSeed: '0',
      score: async ({ digest }, texts) => texts.map((text) => rewardOf(digest, docIdOf(text))),
    },
    reports: function* (manifests) {
      for (let step = run.updateSteps; step < stepsReported; step += run.updateSteps) {
        const act = acts[step / run.updateSteps]
        if (act !== undefined) yield act
        yield {
          run: run.name,
          step,
          tokens: step * 100,
          round: manifests.at(-1)!.round,
          position: 7,
          trainLoss: 1,
          referenceLoss: null,
          corpusLoss: null,
          checkpoint: { path: `step-${step}`, digest: 'x'.repeat(step), step },
        }
      }
    },
    partitions: (topic) => (/(-state|\.selections|\.progress|\.changes)$/.test(topic) ? 1 : partitions),
    schedule,
  })
  return { ...driven, stations: dataflow(run) }
}

export const requestsOf = (driver: InMemoryDriver, run: string): RewardRequest[] =>
  driver.records(runTopics(run).rewardRequests.name).map(({ value }) => value as RewardRequest)
