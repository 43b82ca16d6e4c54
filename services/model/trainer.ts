import type { GradientProducts } from '../../topologies/mixing/doge.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Model } from './model.ts'
import { type LearningRateSchedule, learningRateAt } from './schedule.ts'
import type { Sequence } from './sequences.ts'
import type { OptimizerSettings, SavedState } from './worker/operations.ts'

export interface TrainerOptions extends LearningRateSchedule, Partial<OptimizerSettings> {
  /** Where training starts: the seed's initial weights, or a checkpoint with its moments and steps. */
  start: { seed: string } | { checkpoint: string }
  /** Sequences in a batch. */
  batch: number
  /** Targets in a sequence; a row of a batch has context + 1 tokens. */
  context: number
}

const defaults: OptimizerSettings = { weightDecay: 0.1, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, clip: 1 }

export interface Trainer {
  /** Optimizer steps done, including those before the checkpoint. */
  readonly steps: number
  /**
   * One AdamW step on ids [batch, context + 1], row-major; the array's buffer is transferred. `rowWeights`: what the tokens of each row count in the
   * mean, on average 1. @returns mean loss in nats per target, before
   * the step; the norm of the whole gradient before clipping. @throws WinnowError BAD_DATA if the loss is not finite: the state is lost then,
   * so load a checkpoint.
   */
  step(
    ids: Int32Array<ArrayBuffer>,
    rowWeights?: readonly number[],
  ): Promise<{ loss: number; gradientNorm: number; learningRate: number }>
  /** Losses in nats of every target of ids [rows, context + 1] under the current weights: [rows, context]. @throws WinnowError MODEL_UNUSABLE */
  likelihoods(ids: Int32Array): Promise<Float32Array>
  /** Gradients of domains at the current weights, each clipped as a step's; see `domainGradients` in worker/operations.ts. */
  gradients(
    domains: readonly (readonly Sequence[] | null)[],
    target: readonly Sequence[] | null,
  ): Promise<GradientProducts>
  /** One AdamW step along the weighted sum of the gradients computed last. */
  stepAlong(weights: readonly number[]): Promise<void>
  /** The learning rate of the next step. */
  readonly learningRate: number
  /** Writes weights, moments and steps, so that training resumes identically to the bit. `load` returns `metadata`. */
  save(path: string, metadata?: Record<string, string>): Promise<{ digest: string; bytes: number }>
  load(path: string): Promise<SavedState>
  /** Loss of the current weights in nats per target, over all targets of all sequences; every sequence is run on its own. */
  evaluate(sequences: readonly Sequence[]): Promise<{ loss: number; tokens: number }>
  close(): Promise<void>
}

/** A model in training, in a thread of its own. The same start, batches and threads give the same weights to the bit. */
export async function createTrainer(model: Model, options: TrainerOptions): Promise<Trainer> {
  const { start, batch, context, learningRate, warmupSteps, totalSteps, ...given } = options
  const schedule = { learningRate, warmupSteps, totalSteps }
  const settings = { ...defaults, ...given }
  const worker = model.startWorker()
  let steps = 0

  const trainer: Trainer = {
    get steps() {
      return steps
    },
    get learningRate() {
      return learningRateAt(steps, schedule)
    },
    async step(ids, rowWeights) {
      if (ids.length !== batch * (context + 1))
        throw new RangeError(`a batch has ${batch} x ${context + 1} token ids, got ${ids.length}`)
      const rate = learningRateAt(steps, schedule)
      const weighted = rowWeights === undefined ? {} : { rowWeights }
      const argument = { ids, rows: batch, learningRate: rate, ...settings, ...weighted }
      const result = await worker.call('step', argument, [ids.buffer])
      steps = result.steps
      if (!Number.isFinite(result.loss) || !Number.isFinite(result.gradientNorm))
        throw new WinnowError('BAD_DATA', `Training diverged: the loss of step ${steps} is ${result.loss}`, {
          hint: 'Lower the learning rate or lengthen the warm-up, and start from an earlier checkpoint.',
        })
      return { loss: result.loss, gradientNorm: result.gradientNorm, learningRate: rate }
    },
    likelihoods: async (ids) => (await worker.call('likelihoods', { ids, rows: ids.length / (context + 1) })).losses,
    gradients: (domains, target) => worker.call('domainGradients', { domains, target, clip: settings.clip }),
    async stepAlong(weights) {
      const learningRate = learningRateAt(steps, schedule)
      steps = (await worker.call('stepAlong', { weights, learningRate, ...settings })).steps
    },
    save: (path, metadata = {}) => worker.call('save', { path, metadata }),
    async load(path) {
      const state = await worker.call('load', { path })
      steps = state.steps
      return state
    },
    evaluate: (sequences) => worker.call('evaluate', { sequences }),
    close: () => worker.close(),
  }
  if ('seed' in start) await worker.call('initialize', { seed: start.seed })
  else await trainer.load(start.checkpoint)
  return trainer
}
