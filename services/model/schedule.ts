export interface LearningRateSchedule {
  /** The highest learning rate. */
  learningRate: number
  warmupSteps: number
  totalSteps: number
}

/** Of the highest learning rate, at the end and after it. */
const floor = 0.1

/**
 * Linear warm-up times a cosine from 1 to a tenth over all steps.
 * @param step steps done before this one, from 0.
 */
export function learningRateAt(step: number, { learningRate, warmupSteps, totalSteps }: LearningRateSchedule): number {
  const warmup = warmupSteps > 0 ? Math.min(1, (step + 1) / warmupSteps) : 1
  const progress = Math.min(1, step / totalSteps)
  return learningRate * warmup * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)))
}
