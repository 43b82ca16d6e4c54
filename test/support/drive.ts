import { type ActorState, Document, Manifest, Progress, runTopics, topics } from '../../schemas/index.ts'
import type { Labelled } from '../../topologies/console/changes.ts'
import type { ShadowAt } from '../../topologies/console/promotions.ts'
import type { CorpusStore, LabelColumn } from '../../topologies/corpus-store.ts'
import { corpusStations, type Ports, runStations } from '../../topologies/dataflow.ts'
import { InMemoryDriver, type Scheduler, selectionOf } from '../../topologies/driver.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import type { RunConfig } from '../../topologies/run-config.ts'

/** Something else that happens between two reports. */
export type Act = (driver: InMemoryDriver, ports: Ports) => Promise<void> | void

export interface DriveOptions {
  readonly documents: readonly Document[]
  readonly labelModel: Ports['labelModel']
  readonly influence: Ports['influence']
  /** What the trainer reports, each when everything before it has been answered. Taken one by one: a report may depend on what was selected. */
  readonly reports: (manifests: readonly Manifest[]) => Iterable<Progress | Act>
  readonly partitions: (topic: string) => number
  readonly schedule?: Scheduler | undefined
}

/** Runs the whole dataflow of a run in memory: first the corpus is labelled, then the run goes on with each report. */
export async function drive(run: RunConfig, options: DriveOptions) {
  const { partitions, schedule } = options
  const store = new MemoryStore()
  const { selections, progress } = runTopics(run.name)
  const driver = new InMemoryDriver({ partitions, ...(schedule !== undefined && { schedule }) })
  const manifests: Manifest[] = []
  const ports: Ports = {
    store,
    labelModel: options.labelModel,
    influence: options.influence,
    console: {
      selections: {
        selection: async function* (manifest, index) {
          yield selectionOf(manifest, driver.records(selections.name)).slice(index)
        },
      },
      labelled: labelledIn(store),
      shadowAt: shadowAtBy(driver),
      now: () => 0,
      onEvent: (event) => {
        if (event.kind === 'selected') manifests.push(event.manifest)
      },
    },
  }
  driver.append(
    options.documents.map((value) => ({
      topic: topics.documents.name,
      record: Document,
      key: `${value.docId}`,
      value,
    })),
  )
  for (const stations of [corpusStations(run.selection.actors.map(({ name }) => name)), runStations(run)]) {
    for (const station of stations) await driver.start(station, (output) => station.build(ports, output))
    await driver.run()
  }
  for (const value of options.reports(manifests)) {
    if (typeof value === 'function') await value(driver, ports)
    else driver.append([{ topic: progress.name, record: Progress, key: run.name, value }])
    await driver.run()
  }
  const selected = manifests.map((manifest) => selectionOf(manifest, driver.records(selections.name)))
  return { driver, manifests, selected, ports, store }
}

/** All these documents have labels, as far as labelers give them. */
export const labelledIn =
  (store: CorpusStore, unlabelable = 0): Labelled =>
  async (column, documents) => {
    const labelOffsets = [...documents, ...(await store.committed()).filter(({ topic }) => topic === column.topic)]
    const count = async (columns: readonly LabelColumn[]) => {
      const groups = await (await store.view({ columns, labelOffsets, readsOf: null })).groups()
      return groups.reduce((sum, group) => sum + group.documents, 0)
    }
    return (await count([column])) + unlabelable >= (await count([]))
  }

/** Where a shadow is by its log, of one whose actors do not change. */
const shadowAtBy =
  (driver: InMemoryDriver): ShadowAt =>
  async (shadow, round) => {
    const decisions = driver.records(runTopics(shadow.name).consoleState.name)
    const manifests = decisions.flatMap(({ record, value }) => (record === Manifest.name ? [value as Manifest] : []))
    const manifest = manifests.find((one) => one.round === round)
    if (manifest === undefined) return undefined
    const all = driver.records(runTopics(shadow.name).actorState.name).map(({ value }) => value as ActorState)
    const states = shadow.selection.actors.map(
      ({ name }) => all.find((one) => one.round === round && one.actor === name)!,
    )
    return { run: shadow, states, theta: manifest.theta }
  }
