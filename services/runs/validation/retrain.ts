import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { DocumentId } from '../../../schemas/index.ts'
import type { Interval } from '../../../topologies/evaluation/estimate.ts'
import { agreementOf, disjointGroups, type LeftOut, predictedEffect } from '../../../topologies/evaluation/left-out.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { seedOf } from '../../../topologies/selection/u64.ts'
import type { CheckpointRef } from '../../../topologies/stations/influence.ts'
import type { Runtime } from '../../connections/connections.ts'
import { readable } from '../../corpus/readable.ts'
import { influenceOptions, rewardTasks } from '../../influence/model.ts'
import { placeOfCheckpoint } from '../../model/checkpoints/place.ts'
import { combined } from '../../model/influence.ts'
import type { Model } from '../../model/model.ts'
import type { Sequence, TokenIds } from '../../model/sequences.ts'
import { createTrainer, type Trainer } from '../../model/trainer.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { storeOf } from '../../runtime/stores/place.ts'
import { again } from '../../selections/again.ts'
import { packBatches } from '../../trainer/packer.ts'
import { drawnDocuments, lastCheckpoint, scoreAll } from './validate.ts'

export interface RetrainedGroup extends LeftOut {
  readonly documents: readonly DocumentId[]
}

export interface Retraining {
  readonly run: string
  /** Of the checkpoint from which all of them train. */
  readonly step: number
  /** Name of the estimator. */
  readonly gradient: string
  readonly documents: number
  readonly leave: number
  /** That each training has. */
  readonly steps: number
  readonly learningRate: number
  /** Of the checkpoint, and after training on all documents, in nats per target. */
  readonly lossBefore: number
  readonly lossAfter: number
  readonly spearman: Interval | null
  readonly groups: readonly RetrainedGroup[]
}

export interface RetrainOptions {
  /** How many documents are drawn from the corpus by the run's seed. */
  readonly documents: number
  /** How many of them are left out at a time. */
  readonly leave: number
  /** Trainings at a time, of one thread each. */
  readonly workers: number
  /** A file of JSON lines that keeps finished trainings. */
  readonly kept: string
  readonly onProgress?: (done: number, total: number) => void
  readonly signal?: AbortSignal | undefined
}

/**
 * Trains on from the run's last checkpoint with documents and with groups of them left out, and compares what that does to the reference loss with the
 * rewards of these documents at that checkpoint. Every training has as many steps, at the run's peak learning rate: documents that remain come again
 * where others are left out. Trainings that `kept` has are not done again.
 * @throws WinnowError CONFIGURATION if the run has no checkpoint of its own trainer, or too few documents; the signal's reason
 */
export async function validateByRetraining(
  runtime: Runtime,
  run: RunConfig,
  model: Model,
  options: RetrainOptions,
): Promise<Retraining> {
  const { step, ...checkpoint } = await lastCheckpoint(runtime, run)
  const ids = await drawnDocuments(runtime, run, options.documents)
  const texts = await readable(runtime, 'left out').texts(ids)
  const documents = ids.filter((id) => texts.has(id)).map((id) => ({ id, text: texts.get(id)! }))
  return { run: run.name, step, ...(await leaveOut(run, model, { ...options, checkpoint, documents })) }
}

export interface LeaveOutOptions extends Omit<RetrainOptions, 'documents'> {
  readonly checkpoint: CheckpointRef
  readonly documents: readonly { readonly id: DocumentId; readonly text: string }[]
}

/** The same of given documents, from a given checkpoint. */
export async function leaveOut(
  run: Pick<RunConfig, 'trainer' | 'influence' | 'reference' | 'selection'>,
  model: Model,
  { checkpoint, documents, leave, workers, kept, onProgress, signal }: LeaveOutOptions,
): Promise<Omit<Retraining, 'run' | 'step'>> {
  const path = localPath(checkpoint.path)
  const texts = documents.map(({ text }) => text)
  const encoded = await model.tokenizer.encodeAll(texts)
  const tokens = encoded.map(({ length }) => length + 1)
  const { batch, context, learningRate, weightDecay } = run.trainer
  const steps = Math.floor((sum(tokens) - 1) / (batch * context))
  const { seed } = run.selection
  const groups = disjointGroups(documents.length, leave, seedOf(seed, 0, 'retrain'))
  if (steps === 0 || groups.length < groupsMin) {
    const many = steps === 0 ? 'fill no batch' : `make ${groups.length} groups of ${leave}, and ranks need ${groupsMin}`
    throw new WinnowError('CONFIGURATION', `${documents.length} documents ${many}`, { hint: 'Give a larger --limit.' })
  }
  const tasks = await rewardTasks(run, model, run.reference.samplesMax)
  const how = influenceOptions(run)
  const scored = await scoreAll({ ...how, estimator: 'gradient', workers }, model, {
    ...{ checkpoint, tasks, texts },
    onProgress: () => signal?.throwIfAborted(),
  })
  const rewards = scored.rewards.map((apart) => combined(apart, how.combine ?? 'mean'))

  const settings = { batch, context, learningRate, weightDecay, warmupSteps: 0, totalSteps: neverEnds }
  const of = { checkpoint: checkpoint.digest, documents: documents.map(({ id }) => `${id}`), steps, ...settings }
  const known = new Kept(kept, of)
  const wanted = [[], ...groups].filter((group) => known.of(group) === undefined)
  const total = groups.length + 1
  let done = total - wanted.length
  onProgress?.(done, total)
  const work = async () => {
    await using opened = new AsyncDisposableStack()
    let trainer: Trainer | undefined
    for (let group = wanted.shift(); group !== undefined; group = wanted.shift()) {
      if (trainer === undefined) {
        trainer = await createTrainer(model, { ...settings, start: { checkpoint: path } })
        opened.adopt(trainer, (one) => one.close())
      } else await trainer.load(path)
      const left = new Set(group)
      const rest = encoded.filter((_, at) => !left.has(at))
      await trainOn(trainer, rest, { batch, context, end: model.tokenizer.endOfText, steps, signal })
      known.keep(group, await lossOn(trainer, tasks))
      onProgress?.(++done, total)
    }
  }
  await Promise.all(Array.from({ length: Math.min(workers, wanted.length) }, work))
  const lossAfter = known.of([])!
  const retrained = groups.map((group) => ({
    documents: group.map((at) => documents[at]!.id),
    predicted: predictedEffect(rewards, tokens, group),
    effect: known.of(group)! - lossAfter,
  }))
  return {
    ...{ gradient: scored.name, documents: documents.length, leave, steps, learningRate },
    ...{ lossBefore: combined(scored.losses, 'mean'), lossAfter },
    spearman: agreementOf(retrained, seedOf(seed, 0, 'bootstrap')),
    groups: retrained,
  }
}

/** Ranks of fewer mean nothing. */
const groupsMin = 3

/** The learning rate stays at its peak. */
const neverEnds = 2 ** 40

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

function localPath(place: string): string {
  const path = placeOfCheckpoint(place)
  if (storeOf(path) === undefined) return path
  throw new WinnowError(
    'CONFIGURATION',
    `the checkpoint ${path} is in an object store, and training goes on from files`,
    {
      hint: 'Copy it, and give checkpoints of a run a folder.',
    },
  )
}

interface Stretch {
  readonly batch: number
  readonly context: number
  readonly end: number
  readonly steps: number
  readonly signal: AbortSignal | undefined
}

/** So many steps on documents in their order, which begin again after the last. */
async function trainOn(
  trainer: Trainer,
  documents: readonly TokenIds[],
  { steps, signal, ...packing }: Stretch,
): Promise<void> {
  let left = steps
  for await (const { ids } of packBatches(again(documents, 0), packing)) {
    signal?.throwIfAborted()
    await trainer.step(ids)
    if (--left === 0) return
  }
}

async function lossOn(trainer: Trainer, tasks: readonly Sequence[][]): Promise<number> {
  const losses: number[] = []
  for (const task of tasks) losses.push((await trainer.evaluate(task)).loss)
  return combined(losses, 'mean')
}

/** Losses of trainings by what they depend on, in a file that a kill leaves readable. */
class Kept {
  readonly #path: string
  readonly #of: object
  readonly #losses = new Map<string, number>()

  constructor(path: string, of: object) {
    this.#path = path
    this.#of = of
    if (!existsSync(path)) return
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      // A kill may have left half a line.
      if (!line.endsWith('}')) continue
      const { key, loss } = JSON.parse(line) as { key: string; loss: number }
      this.#losses.set(key, loss)
    }
  }

  #key(group: readonly number[]): string {
    return createHash('sha256')
      .update(JSON.stringify([this.#of, group]))
      .digest('hex')
  }

  of(group: readonly number[]): number | undefined {
    return this.#losses.get(this.#key(group))
  }

  keep(group: readonly number[], loss: number): void {
    const key = this.#key(group)
    this.#losses.set(key, loss)
    appendFileSync(this.#path, `\n${JSON.stringify({ key, loss })}`)
  }
}
