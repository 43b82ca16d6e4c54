import type { GradientProducts } from '../../../topologies/mixing/doge.ts'
import type { CheckpointRef } from '../../../topologies/stations/influence.ts'
import type { SharedTensors } from '../checkpoints/read.ts'
import type { Sequence } from '../sequences.ts'

/** `adam`: values are scaled as in Adam, by the second moments in the checkpoint. */
export type Preconditioner = 'none' | 'adam'

/** A step down the gradient, plain or preconditioned, on a document's windows, whose gradients are averaged by targets. */
export interface ProbeStep {
  windows: readonly Sequence[]
  /** The learning rate; with `cosine` the length of the step over the moved parameters. */
  size: number
  normalize: 'none' | 'cosine'
  parameters: 'all' | 'projected'
}

/** AdamW with decoupled weight decay on matrices. */
export interface OptimizerSettings {
  weightDecay: number
  beta1: number
  beta2: number
  epsilon: number
  /** Clips the norm of a step's whole gradient; Infinity: no clipping. */
  clip: number
}

/** The requests a worker thread answers; arguments and answers can be posted between threads. */
export interface Operations {
  /** Starts training from the seed's initial weights. */
  initialize: { argument: { seed: string }; answer: undefined }
  /** One optimizer step on `ids` [rows, length]; the tokens of a row count by its weight. Default: alike. */
  step: {
    argument: OptimizerSettings & {
      ids: Int32Array
      rows: number
      learningRate: number
      rowWeights?: readonly number[]
    }
    answer: { loss: number; gradientNorm: number; steps: number }
  }
  /** Writes weights, moments and steps. */
  save: { argument: { path: string; metadata: Record<string, string> }; answer: { digest: string; bytes: number } }
  load: { argument: { path: string }; answer: SavedState }
  /** Loss of every target of `ids` [rows, length] under the weights in training: [rows, length - 1]. */
  likelihoods: { argument: { ids: Int32Array; rows: number }; answer: { losses: Float32Array } }
  /**
   * For each domain the gradient of its mean loss at the weights in training, clipped, which `stepAlong` then needs; null: none. Their products with
   * the sum of all of them, or with the clipped gradient of the target's mean loss, and with themselves.
   */
  domainGradients: {
    argument: {
      domains: readonly (readonly Sequence[] | null)[]
      target: readonly Sequence[] | null
      clip: number
    }
    answer: GradientProducts
  }
  /** One optimizer step along the weighted sum of the domains' gradients. */
  stepAlong: {
    argument: OptimizerSettings & { weights: readonly number[]; learningRate: number }
    answer: { steps: number }
  }
  /** Loss of the weights in training over all weighted targets. */
  evaluate: { argument: { sequences: readonly Sequence[] }; answer: { loss: number; tokens: number } }
  /** Projected gradient of every sequence's mean loss, [sequences, size of phi] row-major, at a checkpoint. */
  gradients: {
    argument: { checkpoint: CheckpointRef; projectionSeed: string; sequences: readonly Sequence[] }
    answer: { phi: Float32Array; losses: Float64Array; targets: Float64Array }
  }
  /**
   * The mean gradient of the sequences' mean losses, divided by the square roots of Adam's second moments, then projected like phi. @throws
   * WinnowError BAD_DATA if the checkpoint has no moments.
   */
  direction: {
    argument: {
      checkpoint: CheckpointRef
      projectionSeed: string
      sequences: readonly Sequence[]
      preconditioner: 'adam'
    }
    answer: { direction: Float64Array }
  }
  /** For each task, the mean of its sequences' mean losses, at the checkpoint or after a step from it. */
  probe: {
    argument: {
      checkpoint: CheckpointRef
      tasks: readonly (readonly Sequence[])[]
      step?: ProbeStep
      /** The step divides the gradient by the square roots of Adam's second moments. Default: none. */
      preconditioner?: Preconditioner
    }
    answer: { losses: number[] }
  }
}

export interface SavedState {
  steps: number
  digest: string
  metadata: Record<string, string>
}

export type OperationName = keyof Operations
export type Argument<N extends OperationName> = Operations[N]['argument']
export type Answer<N extends OperationName> = Operations[N]['answer']

/** An execution provider of onnxruntime; `cuda` falls back to the CPU for what it has no kernel for. */
export type Device = 'cpu' | 'cuda'

export interface WorkerOptions {
  /** The folder of graphs. */
  folder: string
  /** Threads within an operator. */
  threads: number
  device?: Device
  /** See run-guard.ts. */
  guard: SharedArrayBuffer
}

/** Requests that refer to a checkpoint are sent its tensors, which threads share. */
export interface Request {
  operation: OperationName
  argument: unknown
  weights?: SharedTensors
  secondMoments?: SharedTensors
}
