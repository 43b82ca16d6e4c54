import type { OptimizerSettings } from './operations.ts'
import { type Feeds, scalar } from './sessions.ts'

/** The scalar inputs of the training graph at step `step` (from 1). Bias corrections in float64: in float32 they are inexact. */
export function optimizerFeeds(settings: OptimizerSettings, learningRate: number, step: number): Feeds {
  const { weightDecay, clip, beta1, beta2, epsilon } = settings
  return {
    learning_rate: scalar(learningRate),
    weight_decay: scalar(weightDecay),
    clip: scalar(clip),
    beta1: scalar(beta1),
    beta2: scalar(beta2),
    epsilon: scalar(epsilon),
    bias_correction1: scalar(1 - beta1 ** step),
    bias_correction2: scalar(1 - beta2 ** step),
  }
}

/** With these and zero moments the new first moment is the plain gradient. */
export const gradientOnly: OptimizerSettings = {
  weightDecay: 0,
  clip: Number.POSITIVE_INFINITY,
  beta1: 0,
  beta2: 0,
  epsilon: 1,
}
