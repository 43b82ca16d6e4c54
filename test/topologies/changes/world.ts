import {
  ActorChange,
  type ActorState,
  type Manifest,
  type RewardRequest,
  type RoundOpened,
  runTopics,
} from '../../../schemas/index.ts'
import { actorStation, labelerStation, labelSinkStation } from '../../../topologies/dataflow.ts'
import type { InMemoryDriver } from '../../../topologies/driver.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Act } from '../../support/drive.ts'
import { documents, rewardOf, runLoop, subcategoryOf, tinyRun } from '../loop.ts'

export const newcomer = 'texture'
export const added: ActorChange = {
  ...{
    run: 'tiny',
    id: 'add',
    kind: 'add',
    actor: newcomer,
    fromRound: null,
    subcategories: ['a', 'b', 'c'],
    eta: 0.5,
  },
  ...{ initialWeights: [0.25, -1, 0.5], initialTheta: 0.4, labelerVersion: 'v1', labeler: '{}', labelerFolder: '/' },
  ...{ recordedMs: 1, fit: null, mapping: null, by: '', why: '' },
}

export const want =
  (...changes: Partial<ActorChange>[]): Act =>
  (driver) =>
    void driver.append(
      changes.map((change) => {
        const value = { ...added, ...change }
        return { topic: runTopics('tiny').changes.name, record: ActorChange, key: value.id, value }
      }),
    )

/** What runs beside a run once an actor is added: its labeler, its label sink, the actor. */
export const helpers =
  (run: RunConfig, labels = true): Act =>
  async (driver, ports) => {
    const stations = [labelerStation(newcomer), labelSinkStation([newcomer])].filter(() => labels)
    for (const station of [...stations, actorStation(run, newcomer)])
      await driver.start({ ...station, name: `${station.name} of the newcomer` }, (output) =>
        station.build(ports, output),
      )
    await driver.run()
  }

export const all =
  (...acts: Act[]): Act =>
  async (driver, ports) => {
    for (const act of acts) await act(driver, ports)
  }

/** A run of eight rounds, in which something happens before rounds 1, 2, ... */
export const played = async (acts: Readonly<Record<number, Act>> = {}, selection: object = {}) => {
  const run = tinyRun(selection, { steps: 80 })
  return { run, ...(await runLoop(run, undefined, 3, run.steps, acts)) }
}

export const openings = (driver: InMemoryDriver): RoundOpened[] =>
  driver
    .records(runTopics('tiny').consoleState.name)
    .filter(({ record }) => record === 'RoundOpened')
    .map(({ value }) => value as RoundOpened)
export const joined = (driver: InMemoryDriver) =>
  openings(driver).flatMap(({ round, changes }) => changes.map(({ id, kind }) => [round, kind, id]))
export const states = (driver: InMemoryDriver, actor: string) =>
  driver
    .records(runTopics('tiny').actorState.name)
    .map(({ value }) => value as ActorState)
    .filter((state) => state.actor === actor)
export const actorsOf = (manifests: readonly Manifest[]) => manifests.map(({ actors }) => actors.length)
export const requestsFor = (driver: InMemoryDriver, actor: string) =>
  driver
    .records(runTopics('tiny').rewardRequests.name)
    .map(({ value }) => value as RewardRequest)
    .filter((request) => request.actor === actor)

export const everySelection: object[] = [
  {},
  { rewardTransform: { kind: 'identity' }, normalize: 'sum', firstSelection: 'weights' },
  { rewardTransform: { kind: 'exp', scale: 0.5 }, update: 'additive', unrewarded: 'mean', budget: { tokens: 100 } },
  { collaboration: 'competitive' },
  { collaboration: 'joint' },
  { collaboration: 'joint', joint: { weighting: 'corpus' } },
  { collaboration: 'joint', joint: { cells: { shrinkage: 1, eta: 0.5 } } },
  { collaboration: 'single:colour', repeat: 'exclude' },
  { repetitionDecay: 0.3 },
  { strategy: { mixture: { actor: 'shape', proportional: true } } },
  { strategy: { sampler: { kind: 'gumbel', temperature: 0.5 }, mixture: { actor: 'colour', weights: [1, 0, 2] } } },
  { strategy: { score: { kind: 'label', actor: 'shape', standardize: 'corpus' }, pool: [{ tokensMin: 6 }] } },
]

/** Labels of `shape` by another version: its score says how bad a document is, by the rewards at any checkpoint. */
export const relabelling =
  (version: string, labels: 'built' | 'missing' = 'built'): Act =>
  async (driver, ports) => {
    void want({
      id: version,
      kind: 'relabel',
      actor: 'shape',
      subcategories: ['round', 'square'],
      labelerVersion: version,
    })(driver, ports)
    if (labels === 'built') await building(version)(driver, ports)
  }

export const building =
  (version: string, labelOf = (docId: bigint) => subcategoryOf('shape', docId)): Act =>
  async (driver, ports) => {
    const station = labelerStation('shape')
    const labelModel = () => ({
      actor: 'shape',
      version,
      label: async (inputs: readonly { text: string }[]) =>
        inputs.map(({ text }) => {
          const { docId } = documents.find((one) => one.text === text)!
          return { ok: true as const, subcategory: labelOf(docId), score: -rewardOf('', docId) }
        }),
    })
    await driver.start({ ...station, name: `labeler ${version}` }, (output) =>
      station.build({ ...ports, labelModel }, output),
    )
    await driver.run()
  }

export const byPrediction = {
  strategy: { score: { kind: 'label', actor: 'shape', sign: -1 }, sampler: { kind: 'gumbel', temperature: 0.1 } },
}
export const meanReward = (ids: readonly bigint[]) => ids.reduce((sum, id) => sum + rewardOf('', id), 0) / ids.length
export const versionsOf = (driver: InMemoryDriver) =>
  openings(driver).flatMap(({ round, changes }) => changes.map(({ labelerVersion }) => [round, labelerVersion]))
