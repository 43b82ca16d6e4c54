import type { DocumentId } from '../../../schemas/index.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { seedOf } from '../../../topologies/selection/u64.ts'
import type { CheckpointRef } from '../../../topologies/stations/influence.ts'
import type { Runtime } from '../../connections/connections.ts'
import { drawDocuments } from '../../corpus/draw.ts'
import { readable } from '../../corpus/readable.ts'
import { influenceOptions, rewardTasks } from '../../influence/model.ts'
import { combined, createInfluence, type InfluenceOptions } from '../../model/influence.ts'
import type { Model } from '../../model/model.ts'
import type { Sequence } from '../../model/sequences.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { spearman } from '../../runtime/statistics.ts'
import { readProgress } from '../recorded.ts'

/** A document's reward by both estimators. */
export interface ValidatedDocument {
  readonly docId: DocumentId
  readonly gradient: number
  readonly probe: number
}

export interface Validation {
  readonly run: string
  readonly step: number
  readonly checkpoint: CheckpointRef
  /** Names of the estimators. */
  readonly gradient: string
  readonly probe: string
  readonly referenceLoss: number
  /** Rank correlation of the rewards: 1 if both rank all documents alike. */
  readonly spearman: number
  /** As `spearman`, for each reference task. */
  readonly taskSpearman: readonly number[]
  readonly documents: readonly ValidatedDocument[]
}

export interface ValidateOptions {
  /** How many documents are drawn from the corpus by the run's seed. */
  readonly documents: number
  readonly workers: number
  readonly onProgress?: (done: number) => void
}

/** Documents per step of the report; progress is reported after each. */
const documentsAtATime = 10

/**
 * Compares, at the run's last checkpoint, the `gradient` estimator as configured by the run with the `probe`, which takes real steps: the same
 * documents, windows and reference samples.
 * @throws WinnowError CONFIGURATION if the run has written no checkpoint or the corpus has too few documents
 */
export async function validate(
  runtime: Runtime,
  run: RunConfig,
  model: Model,
  { documents, workers, onProgress }: ValidateOptions,
): Promise<Validation> {
  const { step, ...checkpoint } = await lastCheckpoint(runtime, run)
  const drawn = await drawnDocuments(runtime, run, documents)
  const texts = await readable(runtime, 'left out').texts(drawn)
  const ids = drawn.filter((id) => texts.has(id))
  const tasks = await rewardTasks(run, model, run.reference.samplesMax)
  const options = influenceOptions(run)
  const estimate = async (estimator: 'gradient' | 'probe', onProgress: (done: number) => void) =>
    scoreAll({ ...options, estimator, workers }, model, {
      checkpoint,
      tasks,
      texts: ids.map((id) => texts.get(id)!),
      onProgress,
    })
  const gradient = await estimate('gradient', () => {})
  const probe = await estimate('probe', (done) => onProgress?.(done))
  const how = options.combine ?? 'mean'
  const both = ids.map((docId, i) => ({
    docId,
    gradient: combined(gradient.rewards[i]!, how),
    probe: combined(probe.rewards[i]!, how),
  }))
  return {
    run: run.name,
    step,
    checkpoint,
    gradient: gradient.name,
    probe: probe.name,
    referenceLoss: combined(probe.losses, 'mean'),
    spearman: spearman(
      both.map((one) => one.gradient),
      both.map((one) => one.probe),
    ),
    taskSpearman: tasks.map((_, t) =>
      spearman(
        gradient.rewards.map((apart) => apart[t]!),
        probe.rewards.map((apart) => apart[t]!),
      ),
    ),
    documents: both,
  }
}

export async function lastCheckpoint(runtime: Runtime, { name }: RunConfig): Promise<CheckpointRef & { step: number }> {
  const checkpoint = (await readProgress(runtime, name)).findLast(
    (progress) => progress.checkpoint !== null,
  )?.checkpoint
  if (checkpoint === null || checkpoint === undefined)
    throw new WinnowError('CONFIGURATION', `run ${name} has written no checkpoint yet`, {
      hint: 'Its trainer writes one at every round; try again after the first.',
    })
  return checkpoint
}

export async function drawnDocuments(runtime: Runtime, run: RunConfig, count: number): Promise<DocumentId[]> {
  const ids = await drawDocuments(runtime.clickHouse.sql, seedOf(run.selection.seed, 0, 'validate'), count)
  // With two documents a rank correlation is 1 or -1 whatever the rewards are.
  if (ids.length < 3)
    throw new WinnowError('CONFIGURATION', `the corpus has ${ids.length} documents, a comparison of ranks needs more`, {
      hint: 'Ingest documents first.',
    })
  return ids
}

export async function scoreAll(
  options: InfluenceOptions,
  model: Model,
  {
    checkpoint,
    tasks,
    texts,
    onProgress,
  }: { checkpoint: CheckpointRef; tasks: Sequence[][]; texts: readonly string[]; onProgress: (done: number) => void },
): Promise<{ name: string; losses: number[]; rewards: number[][] }> {
  await using opened = new AsyncDisposableStack()
  const influence = opened.adopt(createInfluence(model, options), (one) => one.close())
  const reference = await influence.at(checkpoint, tasks)
  const rewards: number[][] = []
  for (let from = 0; from < texts.length; from += documentsAtATime) {
    rewards.push(...(await reference.scoreTasks(texts.slice(from, from + documentsAtATime))))
    onProgress(rewards.length)
  }
  return { name: influence.estimator, losses: reference.summaries.map(({ loss }) => loss), rewards }
}
