/** Rounds in memory, without a broker: texts, labels and rewards that you make up go in, what each round selected comes out. */
import { Readable } from 'node:stream'
import { Document, type Manifest, Progress, runTopics, topics } from '../../schemas/index.ts'
import { corpusStations, type Ports, type Station } from '../../topologies/dataflow.ts'
import { InMemoryDriver, selectionOf } from '../../topologies/driver.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import type { RunConfig } from '../../topologies/run-config.ts'

export interface World {
  /** Document n has the id n and the n-th of these texts. */
  readonly texts: readonly string[]
  labelOf(actor: string, text: string): number
  /** What training on a text at the checkpoint of this step would do. */
  rewardOf(text: string, step: number): number
}

/** @param stations of the run: `runStations(run)`, or some of your own among them. @returns the ids of each round, in emission order */
export async function rehearse(run: RunConfig, stations: readonly Station[], world: World): Promise<bigint[][]> {
  const { texts, labelOf, rewardOf } = world
  const { progress, selections } = runTopics(run.name)
  const driver = new InMemoryDriver()
  const actors = run.selection.actors.map(({ name }) => name)
  const rounds: bigint[][] = []
  const idsOf = (manifest: Manifest) => selectionOf(manifest, driver.records(selections.name))
  const ports: Ports = {
    store: new MemoryStore(),
    labelModel: (actor) => ({
      actor,
      version: run.labelers[actor]!,
      label: async (inputs) => inputs.map(({ text }) => ({ ok: true, subcategory: labelOf(actor, text), score: 1 })),
    }),
    influence: {
      ...{ graphDigest: 'none', estimator: 'made-up', projectionSeed: '0' },
      score: async ({ path }, asked) => asked.map((text) => rewardOf(text, Number(path))),
    },
    console: {
      selections: { selection: (manifest) => Readable.from([idsOf(manifest)]) },
      now: () => 0,
      onEvent: (event) => void (event.kind === 'selected' && rounds.push(idsOf(event.manifest))),
    },
  }
  const documents = texts.map((text, n) => ({ docId: BigInt(n), text, tokens: text.length, meta: '{}' }))
  driver.append(
    documents.map((value) => ({ topic: topics.documents.name, record: Document, key: `${value.docId}`, value })),
  )
  for (const station of [...corpusStations(actors), ...stations]) {
    await driver.start(station, (output) => station.build(ports, output))
    await driver.run()
  }
  const unknown = { trainLoss: null, referenceLoss: null, corpusLoss: null }
  for (let step = run.updateSteps; step < run.steps; step += run.updateSteps) {
    const place = { run: run.name, step, tokens: step, round: rounds.length - 1, position: 0 }
    const value = { ...place, ...unknown, checkpoint: { path: `${step}`, digest: `${step}`, step } }
    driver.append([{ topic: progress.name, record: Progress, key: run.name, value }])
    await driver.run()
  }
  return rounds
}
