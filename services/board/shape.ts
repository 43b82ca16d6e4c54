import type { Stratum } from '../../schemas/index.ts'
import type { Description } from '../../topologies/describe.ts'
import type { Strategy } from '../../topologies/selection/strategy.ts'
import type { StationLag } from '../runs/lag.ts'
import type { RunState, Sort } from '../runs/run-state.ts'
import type { UnreadableRun } from '../runs/unreadable.ts'

/** What the page is sent: JSON, with 64-bit ids as decimal strings. The first message holds everything, later ones what changed. */
export interface BoardPatch {
  readonly runs?: Readonly<Record<string, RunPatch>>
  /** Runs that were deleted or archived. */
  readonly removed?: readonly string[]
  /** Runs of another version of winnow: all of them. */
  readonly unreadable?: readonly UnreadableRun[]
  readonly sources?: readonly SourceView[]
  readonly deadLetters?: DeadLetterView
  readonly traffic?: Traffic
  /** Why the board cannot read now; null: it can. */
  readonly problem?: string | null
}

/** A source file and how far it was ingested. Its number is the upper 24 bits of its documents' ids. */
export interface SourceView {
  readonly name: string
  readonly source: number
  readonly documents: number
  readonly rejected: number
  readonly complete: boolean
}

export interface RunPatch {
  readonly info?: RunInfo
  readonly status?: RunState
  /** Whole rounds, each replacing the one with its number. */
  readonly rounds?: readonly RoundView[]
  /** Each replacing the one with its step. */
  readonly progress?: readonly ProgressPoint[]
}

export interface RunInfo extends Description {
  readonly name: string
  readonly replayOf: string | null
  readonly kind: Sort
  /** When it was first recorded, milliseconds since the epoch. */
  readonly recordedMs: number | null
  /** What it selects by in place of the actors' scores; null: by those. */
  readonly strategy: Strategy | null
  readonly actors: readonly { name: string; subcategories: readonly string[]; eta: number }[]
  /** How round 0 selects. */
  readonly firstSelection: 'random' | 'weights'
  readonly collaboration: string
  readonly update: string
  readonly budget: { documents: number } | { tokens: number }
  readonly steps: number
  readonly updateSteps: number
  readonly sampleDocuments: number
}

/** One actor-by-subcategory table, in configuration order. */
export type Table<T> = readonly (readonly T[])[]

export interface RoundView {
  readonly round: number
  readonly step: number | null
  /** m: documents of the previous selection that the trainer had read when the round opened. */
  readonly previousRead: number | null
  /** Requested documents, by actor and subcategory; of the actors that the round had. */
  readonly asked: Table<number> | null
  readonly closed: { reason: string; missing: number } | null
  /** Rewards that came after the round had closed and do not count. */
  readonly late: number
  /** Raw rewards of the requested documents, by actor and subcategory; null where none came. */
  readonly rewards: Table<Spread | null> | null
  readonly states: Readonly<Record<string, { weights: number[]; rewards: (number | null)[]; counts: number[] }>>
  readonly manifest: ManifestView | null
  /** Where changes of actors have made them others than those that the run was recorded with; null: they are those. In the order of the manifest. */
  readonly actors: RunInfo['actors'] | null
  /** What its opening changed of the run's actors, each in words with who and why. */
  readonly changes: readonly string[]
  /** What its selection has to keep to, each in words with who and why. */
  readonly guards: readonly string[]
  /** How far the trainer has come in this round's selection: documents passed, counting on past its end; null: it has reported nothing of it. */
  readonly read: number | null
}

export interface Spread {
  readonly count: number
  readonly mean: number
  /** Population standard deviation. */
  readonly deviation: number
  readonly min: number
  readonly max: number
}

export interface ManifestView {
  readonly step: number
  readonly theta: number[]
  readonly weights: number[][]
  readonly actorRewards: (number | null)[]
  readonly documents: number
  readonly tokens: number
  readonly threshold: number | null
  readonly marginal: { score: number; documents: number; taken: number } | null
  readonly selectionDigest: string
  readonly histogramDigest: string
  /** Of a run with a strategy, or of a round with guards or a natural share; null: it has none. */
  readonly strata: readonly StratumView[] | null
}

/** Without the key of the cut, which has 64 bits and tells nobody anything. */
export type StratumView = Omit<Stratum, 'keyLast'> & {
  /** What it is of guards, in words; null: a stratum of a mixture, or the only one. */
  readonly guarded: string | null
}

export interface ProgressPoint {
  /** When it was reported, milliseconds since the epoch. */
  readonly atMs: number | null
  readonly step: number
  readonly tokens: number
  readonly round: number
  readonly trainLoss: number | null
  readonly referenceLoss: number | null
  readonly corpusLoss: number | null
  /** Where the checkpoint of this step is; null: none was written. */
  readonly checkpoint: string | null
  /** Of the last step, by the run's schedule: what the reference trainer uses. */
  readonly learningRate: number
}

export interface DeadLetterView {
  readonly total: number
  /** `topic`: that of the rejected record; null: a row of a file. */
  readonly reasons: readonly { station: string; reason: string; topic: string | null; count: number }[]
  /** The last ones, newest first. */
  readonly last: readonly DeadLetterEntry[]
}

export interface DeadLetterEntry {
  /** Its offset in the topic of dead letters. */
  readonly at: number
  readonly station: string
  readonly reason: string
  readonly message: string
  readonly origin: string
  /** Length of the value. */
  readonly bytes: number
  /** The first bytes of the value, base64. */
  readonly value: string | null
}

export interface Traffic {
  readonly topics: Readonly<Record<string, TopicTraffic>>
  /** Records before the end of a topic that a station's consumer group has not committed. */
  readonly lag: readonly StationLag[]
  readonly stations: readonly StationActivity[]
}

/** Whether a station is there, and how much it does. Ingest is in no consumer group, and so not among these. */
export interface StationActivity {
  /** null: a station of the corpus, shared by all runs. */
  readonly run: string | null
  readonly station: string
  /** Members of its consumer groups now. */
  readonly members: number
  /** Where there is none now: when this board last saw one, milliseconds since the epoch; null: it never did. */
  readonly lastSeenMs: number | null
  /** Records it has done in a second, over the last ten; null: not known, or it commits none. */
  readonly perSecond: number | null
}

export interface TopicTraffic {
  /** The next offset of each partition; offsets count the markers of transactions too. */
  readonly ends: readonly number[]
  /** null: not counted; there are at most as many as offsets. */
  readonly records: number | null
  readonly ratePerSecond: number
}
