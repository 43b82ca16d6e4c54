import type { ActorChange, RoundOpened, RoundRelabelled, TopicOffset } from '../../schemas/index.ts'
import { labelsTopic, topics } from '../../schemas/index.ts'
import { changedRun } from '../rounds/configuration.ts'
import type { RunConfig } from '../run-config.ts'
import { columnOf, type Labelled } from './changes.ts'

/** Whether a round of this run waits, once it is closed, for labels that are fitted to its own rewards (docs/mates.md). */
export const hasStage = ({ stages }: RunConfig, { samples }: RoundOpened): boolean =>
  stages !== undefined && samples.length > 0

/** What the decision depends on. */
export interface StageInputs {
  /** As the round has it so far. */
  readonly run: RunConfig
  readonly opened: RoundOpened
  /** Changes that no round has taken yet, in log order. */
  readonly waiting: readonly ActorChange[]
  readonly labelled: Labelled
  /** What the label sink has taken in. */
  readonly committed: () => Promise<readonly TopicOffset[]>
  readonly waitedMs: number
}

/**
 * The labels that a closed round selects by: the last that were fitted to its own rewards and cover what it sees of the corpus, or, after the time that
 * the run gives, those that it has.
 * @returns undefined: it still waits
 */
export async function decideStage(inputs: StageInputs): Promise<RoundRelabelled | undefined> {
  const { run, opened, waiting, labelled, committed, waitedMs } = inputs
  const { round, labelOffsets } = opened
  const documents = labelOffsets.filter(({ topic }) => topic === topics.documents.name)
  const own = waiting.filter((change) => isStageOf(change, run.name, round) && changedRun(run, change) !== undefined)
  for (const change of own.toReversed()) {
    if (!(await labelled(columnOf(change), documents))) continue
    const topic = labelsTopic(change.actor).name
    // Of everything else the round sees what it was opened with, so that its samples stand for the same corpus.
    const others = labelOffsets.filter((place) => place.topic !== topic)
    const ofLabels = (await committed()).filter((place) => place.topic === topic)
    return { run: run.name, round, change, labelOffsets: [...others, ...ofLabels] }
  }
  if (waitedMs < run.stages!.waitSeconds * 1000) return undefined
  return { run: run.name, round, change: null, labelOffsets: [...labelOffsets] }
}

/** Fitted to the rewards of this round, perhaps with those of rounds before it. */
const isStageOf = ({ kind, fit }: ActorChange, run: string, round: number): boolean =>
  kind === 'relabel' && fit !== null && fit.run === run && fit.rounds.at(-1) === round

/** A round as it was opened, with the labels of its stage. */
export const withStage = (opened: RoundOpened, { change, labelOffsets }: RoundRelabelled): RoundOpened =>
  change === null || opened.changes.some(({ id }) => id === change.id)
    ? opened
    : { ...opened, labelOffsets, changes: [...opened.changes, change] }
