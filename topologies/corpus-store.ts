import {
  type Document,
  type DocumentId,
  type Exclusion,
  type Label,
  labelsTopic,
  type Offset,
  type Partition,
  type Sketch,
  type TopicOffset,
  topics,
} from '../schemas/index.ts'
import type { SourceCrowd } from './duplicates/losses.ts'
import { sketchVersion } from './duplicates/sketch.ts'
import type { RunConfig } from './run-config.ts'
import type { Corpus } from './selection/corpus.ts'
import type { ReadSelection } from './selection/read-selection.ts'

/** A value and the offset of its record, by which views "as of" offsets filter. */
export interface At<V> {
  readonly value: V
  readonly partition: Partition
  readonly offset: Offset
}

/** Which labels make up a cell, in configuration order. The version pins the labeler: nothing is relabelled behind a run's back. */
export interface LabelColumn {
  readonly actor: string
  readonly version: string
  readonly topic: string
}

export interface ViewOptions {
  readonly columns: readonly LabelColumn[]
  /** A document takes part if its own record and all its labels are before these offsets, and no list has it whose exclusions are before them. */
  readonly labelOffsets: readonly TopicOffset[]
  /** Counts how often this run's trainer has read each document; null: does not. */
  readonly readsOf: string | null
  /** The run's earlier rounds, ascending, and as of what they selected: what was read of them is recorded as conditions. Left out: by documents. */
  readonly earlier?: readonly RoundOffsets[]
  /** Actors, by index, whose label scores will be asked for; left out: none. */
  readonly scored?: readonly number[]
  /** Left out: near duplicates take part as any document. */
  readonly duplicates?: DuplicateLimit | undefined
  /** Whether samples and selections will be asked of it, so that it is worth keeping a state of the corpus sorted for them. */
  readonly draws?: boolean
}

/** Documents take part that have a sketch and, of those with it, less than so many smaller ids in each of their crowds (SELECTION.md, "Near duplicates"). */
export interface DuplicateLimit {
  /** Of the sketches. */
  readonly version: string
  readonly atMost: number
}

/** How far the corpus is sorted for draws: of `total` rows `done` have been looked at; both 0 at the beginning. */
export interface Preparing {
  readonly done: number
  readonly total: number
}

export type CrowdedOptions = Pick<ViewOptions, 'columns' | 'labelOffsets'> & { readonly duplicates: DuplicateLimit }

export interface RoundOffsets {
  readonly round: number
  readonly labelOffsets: readonly TopicOffset[]
}

/**
 * The corpus as the label sink writes it and the console reads it: ClickHouse in production, maps in the driver.
 * Every write may be repeated, in any order, without effect.
 */
export interface CorpusStore {
  addDocuments(documents: readonly At<Document>[]): Promise<void>
  addLabels(labels: Iterable<At<Label>>): Promise<void>
  addExclusions(exclusions: readonly At<Exclusion>[]): Promise<void>
  addSketches(sketches: readonly At<Sketch>[]): Promise<void>
  /** Commits offsets: everything before them has been added. Called after those adds. */
  commit(offsets: readonly TopicOffset[]): Promise<void>
  committed(): Promise<TopicOffset[]>
  /**
   * Has the corpus sorted for draws as of these offsets, in the background if that takes longer than a moment.
   * @returns how far that is; undefined: it is done, and a view of these options for draws reads only what it needs
   */
  prepare(options: ViewOptions): Promise<Preparing | undefined>
  /** How far such work on these labels is, by whichever process, also one that has ended; undefined: nothing is left unfinished. */
  preparing(options: Pick<ViewOptions, 'columns' | 'scored'>): Promise<Preparing | undefined>
  /** Of the documents whose own records and labels are before these offsets, how many have a sketch there. @param version of the sketches */
  sketched(options: Pick<ViewOptions, 'columns' | 'labelOffsets'>, version: string): Promise<Preparing>
  /** By source, in any order: the sketched documents that take part but for the limit on near duplicates, and those of them that it takes out. */
  crowdedOut(options: CrowdedOptions): Promise<SourceCrowd[]>
  view(options: ViewOptions): Promise<Corpus>
  /** Texts of documents; ids without a document are left out. */
  texts(ids: readonly DocumentId[]): Promise<Map<DocumentId, string>>
  /** The rounds of a run of whose selections is recorded what the trainer has read, as conditions or by documents. */
  readRounds(run: string, by: 'conditions' | 'documents'): Promise<ReadonlySet<number>>
  /**
   * Records what the trainer read of a round's selection that cells decided: as a condition, not by documents. Repeating a round replaces it.
   * @param view what the round selected from
   */
  addReadSelection(run: string, round: number, read: ReadSelection, view: ViewOptions): Promise<void>
  /** Records that the trainer read documents of any other selection: ids and how often each. Repeating a round replaces it. */
  addReads(run: string, round: number, reads: AsyncIterable<ReadonlyMap<DocumentId, number>>): Promise<void>
}

/** The labels that a run selects by: for each actor, those of the version that the run names. */
export const columnsOf = (run: RunConfig): LabelColumn[] =>
  run.selection.actors.map(({ name }) => ({ actor: name, version: run.labelers[name]!, topic: labelsTopic(name).name }))

/** The documents that take part for a run as of some offsets, whatever has been read of them. */
export const takingPart = (
  run: RunConfig,
  { labelOffsets }: Pick<ViewOptions, 'labelOffsets'>,
): Pick<ViewOptions, 'columns' | 'labelOffsets' | 'readsOf' | 'duplicates'> => ({
  ...{ columns: columnsOf(run), labelOffsets, readsOf: null, duplicates: duplicatesOf(run) },
})

/** Whether a view as of these offsets may exclude documents. */
export const mayExclude = (labelOffsets: readonly TopicOffset[]): boolean =>
  labelOffsets.some(({ topic, offsetNext }) => topic === topics.exclusions.name && offsetNext > 0)

/** How many near duplicates a run takes; undefined: any number. */
export function duplicatesOf({ selection: { duplicates } }: Pick<RunConfig, 'selection'>): DuplicateLimit | undefined {
  return duplicates && { version: sketchVersion(duplicates), atMost: duplicates.atMost }
}
