import type {
  ActorChange,
  OtherText,
  Progress,
  Promoted,
  RoundOpened,
  SelectionRead,
  Steering,
  TopicOffset,
} from '../../schemas/index.ts'
import type { RunConfig } from '../run-config.ts'
import type { Corpus } from '../selection/corpus.ts'
import { seedOf } from '../selection/u64.ts'

/**
 * The round that a progress report opens: floor(step / U), once its checkpoint exists (Algorithm 2, line 4). The last report of the
 * training opens none: nobody would read its selection.
 * @returns undefined if none is due
 */
export function roundDue(progress: Progress, run: RunConfig, roundLast: number): number | undefined {
  if (progress.checkpoint === null || progress.step >= run.steps) return undefined
  const round = Math.floor(progress.step / run.updateSteps)
  return round > roundLast ? round : undefined
}

/**
 * Samples a round's documents: for each actor and subcategory the n with the smallest key (SELECTION.md, step 1; section 4.1, A.7).
 * Round 0 has no samples: it is the selection before training.
 */
export async function openRound(
  run: RunConfig,
  round: number,
  corpus: Corpus,
  decision: {
    progress: Progress | undefined
    roundPrevious: number
    labelOffsets: TopicOffset[]
    nowMs: number
    /** That hold from this round on; `run` has them. */
    changes?: readonly ActorChange[]
    /** What was read, since earlier rounds opened, of selections before the previous one. */
    reads?: readonly SelectionRead[]
    /** By which the run goes on; `run` has its settings. */
    promoted?: Promoted | null
    /** That holds from this round on; `run` has it. */
    steered?: readonly Steering[]
    /** Of a run that bounds the loss on other text. */
    otherText?: OtherText | null
  },
): Promise<RoundOpened> {
  const {
    progress,
    roundPrevious,
    labelOffsets,
    nowMs,
    changes = [],
    reads = [],
    promoted = null,
    steered = [],
    otherText = null,
  } = decision
  const samples: RoundOpened['samples'] = []
  if (round > 0 && run.sampleDocuments > 0) {
    for (const [actorIndex, actor] of run.selection.actors.entries()) {
      if (actor.frozen === true) continue
      const seed = seedOf(run.selection.seed, round, `sample:${actor.name}`)
      const drawn = await corpus.samples(actorIndex, seed, run.sampleDocuments)
      for (const subcategory of actor.subcategories.keys()) {
        const docIds = drawn.get(subcategory)
        if (docIds !== undefined)
          samples.push({ actor: actor.name, subcategory, docIds: [...docIds], labels: [], held: 0 })
      }
    }
  }
  return {
    run: run.name,
    round,
    step: progress?.step ?? 0,
    checkpointPath: progress?.checkpoint?.path ?? null,
    checkpointDigest: progress?.checkpoint?.digest ?? null,
    previousRead: previousRead(progress, roundPrevious),
    labelOffsets,
    samples: run.selection.collaboration === 'joint' ? await withLabels(samples, run, corpus) : samples,
    deadlineMs: samples.length === 0 ? null : nowMs + run.rewardDeadlineSeconds * 1000,
    changes: [...changes],
    reads: [...reads],
    promoted,
    steered: [...steered],
    otherText,
  }
}

/**
 * Samples with what a joint fit needs of them: the labels of their documents, and how many documents each was drawn from.
 * @param corpus as of the round's label offsets
 */
export async function withLabels(
  samples: RoundOpened['samples'],
  { selection: { actors } }: Pick<RunConfig, 'selection'>,
  corpus: Corpus,
): Promise<RoundOpened['samples']> {
  const [groups, described] = await Promise.all([
    corpus.groups(),
    corpus.describe([...new Set(samples.flatMap(({ docIds }) => docIds))]),
  ])
  return samples.map((sample) => {
    const a = actors.findIndex(({ name }) => name === sample.actor)
    const own = groups.filter(({ labels }) => labels[a] === sample.subcategory)
    return {
      ...sample,
      labels: sample.docIds.map((docId) => [...described.get(docId)!.labels]),
      held: own.reduce((sum, { documents }) => sum + documents, 0),
    }
  })
}

/** m: the trainer's position in the previous selection, so far; 0 while it still reads an older one. */
function previousRead(progress: Progress | undefined, roundPrevious: number): number | null {
  if (progress === undefined) return null
  return progress.round === roundPrevious ? progress.position : 0
}
