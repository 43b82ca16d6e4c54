import { labelsTopic, type Offset, type Partition, runTopics, topics } from '../schemas/index.ts'
import { Console } from './console/console.ts'
import type { ConsolePorts } from './console/ports.ts'
import { ShadowConsole } from './console/shadow.ts'
import type { CorpusStore } from './corpus-store.ts'
import type { Booking } from './ledger/booking.ts'
import type { Delivered, Output, Processor, StationNode } from './node.ts'
import { type RunConfig, rewardedRun } from './run-config.ts'
import { foldedActors } from './selection/joint-cells.ts'
import { ActorStation } from './stations/actor.ts'
import { type Contaminants, Decontamination } from './stations/decontamination.ts'
import { Duplicates, type Sketching } from './stations/duplicates.ts'
import { Influence, type InfluenceModel } from './stations/influence.ts'
import { LabelSink } from './stations/label-sink.ts'
import { Labeling, type LabelModel } from './stations/labeling.ts'

/** A processor as run by a driver, Kafka's or the in-memory one. */
export interface RunningStation extends Processor {
  /** Restores state from the records of `restoreFrom`; called once, before anything else. */
  restore?(records: readonly Delivered[]): void
  /** Where to start reading an input; undefined: where the group's committed offset says. */
  startOffset?(topic: string, partition: Partition): Offset
  /** For a station that shares its group's offsets: the offset up to which its state says that all is done; reading never begins after it. */
  floorOffset?(topic: string, partition: Partition): Promise<Offset>
  start?(): Promise<void>
  /** Called periodically, for what depends on time. */
  tick?(): Promise<void>
}

/** What stations need from outside. Each uses its own. */
export interface Ports {
  readonly store: CorpusStore
  readonly labelModel: (actor: string) => LabelModel
  readonly influence: InfluenceModel
  readonly console: Omit<ConsolePorts, 'store' | 'output'>
  /** Left out: no work is booked. */
  readonly booking?: Booking | undefined
}

/** A station: what describe() shows, and how it is built from its ports. Drivers differ only in ports and output. */
export type Station<P = Ports> = StationNode & {
  /** Topics that are read to their end before it starts. */
  readonly restoreFrom: readonly string[]
  /** One instance at a time: all its writes are transactional, and a newer instance fences an older one. */
  readonly exclusive?: boolean
  /** How often `tick` is called. */
  readonly tickMs?: number
  readonly build: (ports: P, output: Output) => RunningStation
}

type Uses<K extends keyof Ports> = Station<Pick<Ports, K>>

/** Labels every document for one actor. */
export const labelerStation = (actor: string): Uses<'labelModel' | 'booking'> => ({
  kind: 'labeler',
  actor,
  name: `labeler ${actor}`,
  purpose: `labels every document for actor ${actor}`,
  reads: [topics.documents.name],
  writes: [labelsTopic(actor).name, topics.work.name, topics.deadLetters.name],
  restoreFrom: [],
  build: ({ labelModel, booking }, output) => new Labeling(labelModel(actor), output, booking),
})

/** Takes documents out of selections that contain an item of an evaluation set. It runs where there are such sets (docs/decontamination.md). */
export const decontaminationStation: Station<Contaminants> = {
  kind: 'decontamination',
  name: 'decontamination',
  purpose: 'excludes documents that contain an item of an evaluation set',
  reads: [topics.documents.name],
  writes: [topics.exclusions.name, topics.deadLetters.name],
  restoreFrom: [],
  build: (contaminants, output) => new Decontamination(contaminants, output),
}

/** Sketches documents, so that a run may limit near duplicates. It runs where a run does (docs/duplicates.md). */
export const duplicatesStation: Station<Sketching> = {
  kind: 'duplicates',
  name: 'duplicates',
  purpose: 'sketches documents: near duplicates share a band key',
  reads: [topics.documents.name],
  writes: [topics.sketches.name, topics.deadLetters.name],
  restoreFrom: [],
  build: (sketching, output) => new Duplicates(sketching, output),
}

/** Joins documents, their exclusions, their sketches and the labels of these actors. */
export const labelSinkStation = (actors: readonly string[]): Uses<'store'> => ({
  kind: 'label-sink',
  name: 'label sink',
  purpose: 'keeps one row per document: its cell',
  reads: [
    ...[topics.documents.name, topics.exclusions.name, topics.sketches.name],
    ...actors.map((actor) => labelsTopic(actor).name),
  ],
  writes: [topics.deadLetters.name],
  state: 'ClickHouse: documents, corpus, exclusions, sketches, sink_offsets',
  restoreFrom: [],
  build: ({ store }, output) => new LabelSink(store, output),
})

/** Takes in the labels of an actor that was added to a run while the label sink of the corpus goes on without them. */
export const addedLabelSinkStation = (actor: string): Uses<'store'> => ({
  ...labelSinkStation([]),
  name: `label sink ${actor}`,
  reads: [labelsTopic(actor).name],
})

/** The stations of the corpus, shared by all runs: one labeler per actor, and the label sink. */
export const corpusStations = (actors: readonly string[]): Uses<'store' | 'labelModel' | 'booking'>[] => [
  ...actors.map(labelerStation),
  labelSinkStation(actors),
]

/** Answers a run's reward requests. */
export function influenceStation(run: RunConfig): Uses<'influence' | 'booking'> {
  const { rewardRequests, rewards, work } = runTopics(run.name)
  return {
    kind: 'influence',
    name: 'influence',
    purpose: 'computes what training on a document now would do (Eq. 3)',
    reads: [rewardRequests.name],
    writes: [rewards.name, work.name, topics.deadLetters.name],
    restoreFrom: [],
    build: ({ influence, booking }, output) => new Influence(influence, output, booking),
  }
}

/** Folds rewards into one actor's weights. It uses no ports. */
export function actorStation(run: RunConfig, actor: string): Station<unknown> {
  const { consoleState, actorState } = runTopics(run.name)
  const { rewards } = runTopics(rewardedRun(run))
  return {
    kind: 'actor',
    actor,
    name: `actor ${actor}`,
    purpose: `folds rewards into the weights of ${actor} (Eq. 4, 5)`,
    reads: [consoleState.name, rewards.name],
    writes: [actorState.name],
    state: actorState.name,
    restoreFrom: [actorState.name],
    build: (_ports, output) => new ActorStation(run, actor, output),
  }
}

function consoleStation(run: RunConfig): Uses<'store' | 'console'> {
  const { progress, rewardRequests, rewards, actorState, consoleState, selections, changes } = runTopics(run.name)
  return {
    kind: 'console',
    name: 'console',
    purpose: 'opens and closes rounds, weighs the actors (Eq. 8), selects (Eq. 6)',
    reads: [progress.name, rewards.name, actorState.name, changes.name],
    writes: [rewardRequests.name, consoleState.name, selections.name, topics.deadLetters.name],
    state: consoleState.name,
    restoreFrom: [consoleState.name],
    exclusive: true,
    tickMs: 500,
    build: (ports, output) => new Console(run, { ...ports.console, store: ports.store, output }),
  }
}

/** The stations that decide a run: one per actor, and the console. */
export const decidingStations = (run: RunConfig): Uses<'store' | 'console'>[] => [
  ...foldedActors(run.selection).map((name) => actorStation(run, name)),
  consoleStation(run),
]

function shadowConsoleStation(run: RunConfig, leader: RunConfig): Uses<'store' | 'console'> {
  const { actorState, consoleState, selections } = runTopics(run.name)
  const led = runTopics(rewardedRun(run))
  return {
    kind: 'console',
    name: 'console',
    purpose: `selects for the rounds of ${rewardedRun(run)}; nobody trains on it`,
    reads: [led.consoleState.name, led.rewards.name, actorState.name],
    writes: [consoleState.name, selections.name],
    state: consoleState.name,
    restoreFrom: [consoleState.name],
    exclusive: true,
    tickMs: 500,
    build: (ports, output) => new ShadowConsole(run, leader, { ...ports.console, store: ports.store, output }),
  }
}

/**
 * The stations of a shadow: one per actor, which folds the rewards of the run that it follows, and a console.
 * @param leader that run, as it was recorded
 */
export const shadowStations = (run: RunConfig, leader: RunConfig): Uses<'store' | 'console'>[] => [
  ...foldedActors(run.selection).map((name) => actorStation(run, name)),
  shadowConsoleStation(run, leader),
]

/** The stations of one run. The trainer is outside: it is the user's. Those of a shadow are to be shown: to be built they need its leader. */
export const runStations = (run: RunConfig): Uses<'store' | 'influence' | 'console' | 'booking'>[] =>
  run.shadowOf === undefined ? [influenceStation(run), ...decidingStations(run)] : shadowStations(run, run)

/** The whole dataflow of a run as named nodes. */
export function dataflow(run: RunConfig): Station[] {
  return [...corpusStations(run.selection.actors.map(({ name }) => name)), ...runStations(run)]
}

/** What the corpus has beside what every run needs. */
export interface Beside {
  /** Whether evaluation sets are recorded, with which documents are compared. Default: not. */
  readonly evalSets?: boolean
}

/** All stations around a run, as they are shown and measured. Those that decide nothing for it stand last, so that pictures without them stay as they are. */
export const shownStations = (run: RunConfig, { evalSets = false }: Beside = {}): StationNode[] => [
  ...edgeStations(run),
  ...dataflow(run),
  ...(evalSets ? [decontaminationStation] : []),
]

/** Stations at the edge of the dataflow, which read or write outside it. */
export function edgeStations(run: RunConfig): StationNode[] {
  const { progress, selections, consoleState, work } = runTopics(run.name)
  const ingest: StationNode = {
    kind: 'ingest',
    name: 'ingest',
    purpose: 'reads source files',
    reads: [],
    writes: [topics.sources.name, topics.documents.name, topics.deadLetters.name],
    state: topics.sources.name,
  }
  const trainer: StationNode = {
    kind: 'trainer',
    name: 'trainer',
    purpose: 'trains on the selected-index stream',
    reads: [selections.name, consoleState.name, progress.name],
    writes: [progress.name, work.name],
    state: 'checkpoints',
  }
  return run.shadowOf === undefined ? [ingest, trainer] : [ingest]
}
