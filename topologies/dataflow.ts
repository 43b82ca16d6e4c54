import { labelsTopic, runTopics, topics } from '../schemas/index.ts'
import { Console, type ConsolePorts } from './console/console.ts'
import type { CorpusStore } from './corpus-store.ts'
import type { Delivered, Output, Processor, StationNode } from './node.ts'
import type { RunConfig } from './run-config.ts'
import { ActorStation } from './stations/actor.ts'
import { Influence, type InfluenceModel } from './stations/influence.ts'
import { LabelSink } from './stations/label-sink.ts'
import { Labeling, type LabelModel } from './stations/labeling.ts'

/** A processor as a driver, Kafka's or the in-memory one, runs it. */
export interface RunningStation extends Processor {
  /** Takes in the records of `restoreFrom`, once, before anything else. */
  restore?(records: readonly Delivered[]): void
  /** Where to start reading an input; undefined: where the group's committed offset says. */
  startOffset?(topic: string, partition: number): number
  /** Of a station that shares its group's offsets: up to where its state says that everything is done. Reading never begins after that. */
  doneBefore?(topic: string, partition: number): Promise<number>
  start?(): Promise<void>
  /** Called now and then: for what time brings about. */
  tick?(): Promise<void>
}

/** What a station needs of the outside. Each one uses its own. */
export interface Ports {
  readonly store: CorpusStore
  readonly labelModel: (actor: string) => LabelModel
  readonly influence: InfluenceModel
  readonly console: Omit<ConsolePorts, 'store' | 'output'>
}

/** A station: what describe() shows, and how it is built. Drivers differ in ports and output alone. */
export interface Station extends StationNode {
  /** Topics read to their end before it starts. */
  readonly restoreFrom: readonly string[]
  build(ports: Ports, output: Output): RunningStation
}

/** The stations of the corpus, shared by all runs: one labeler an actor, and the label sink. */
export function corpusStations(actors: readonly string[]): Station[] {
  const labels = actors.map((actor) => labelsTopic(actor).name)
  return [
    ...actors.map(
      (actor): Station => ({
        name: `labeler ${actor}`,
        purpose: `labels every document for actor ${actor}`,
        reads: [topics.documents.name],
        writes: [labelsTopic(actor).name, topics.deadLetters.name],
        restoreFrom: [],
        build: ({ labelModel }, output) => new Labeling(labelModel(actor), output),
      }),
    ),
    {
      name: 'label sink',
      purpose: 'keeps one row a document, its cell',
      reads: [topics.documents.name, ...labels],
      writes: [topics.deadLetters.name],
      state: 'ClickHouse: documents, corpus, sink_offsets',
      restoreFrom: [],
      build: ({ store }, output) => new LabelSink(store, output),
    },
  ]
}

/** The stations of one run: influence workers, one actor processor an actor, and the console. The trainer is outside: it is the user's. */
export function runStations(run: RunConfig): Station[] {
  const { progress, rewardRequests, rewards, actorState, consoleState, selections } = runTopics(run.name)
  return [
    {
      name: 'influence',
      purpose: 'computes what training on a document would do now (Eq. 3)',
      reads: [rewardRequests.name],
      writes: [rewards.name, topics.deadLetters.name],
      restoreFrom: [],
      build: ({ influence }, output) => new Influence(influence, output),
    },
    ...run.selection.actors.map(
      ({ name }): Station => ({
        name: `actor ${name}`,
        purpose: `folds rewards into the weights of ${name} (Eq. 4, 5)`,
        reads: [consoleState.name, rewards.name],
        writes: [actorState.name],
        state: actorState.name,
        restoreFrom: [actorState.name],
        build: (_ports, output) => new ActorStation(run, name, output),
      }),
    ),
    {
      name: 'console',
      purpose: 'opens and closes rounds, weighs the actors (Eq. 8), selects (Eq. 6)',
      reads: [progress.name, rewards.name, actorState.name],
      writes: [rewardRequests.name, consoleState.name, selections.name, topics.deadLetters.name],
      state: consoleState.name,
      restoreFrom: [consoleState.name],
      build: (ports, output) => new Console(run, { ...ports.console, store: ports.store, output }),
    },
  ]
}

/** The whole dataflow of a run as named nodes. */
export function dataflow(run: RunConfig): Station[] {
  return [...corpusStations(run.selection.actors.map(({ name }) => name)), ...runStations(run)]
}

/** Stations at the edge of the dataflow, which read or write what is outside of it. */
export function edgeStations(run: RunConfig): StationNode[] {
  const { progress, selections, consoleState } = runTopics(run.name)
  return [
    {
      name: 'ingest',
      purpose: 'reads source files',
      reads: [],
      writes: [topics.sources.name, topics.documents.name, topics.deadLetters.name],
      state: topics.sources.name,
    },
    {
      name: 'trainer',
      purpose: 'trains on the selected-index stream',
      reads: [selections.name, consoleState.name],
      writes: [progress.name],
      state: 'checkpoints',
    },
  ]
}
