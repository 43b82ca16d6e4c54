export interface LearningRateSchedule {
  /** The peak learning rate. */
  learningRate: number
  warmupSteps: number
  totalSteps: number
}

/** As a share of the peak, at the end and after it. */
const floor = 0.1

/**
 * Linear warm-up, then cosine decay over all steps from 1 to a tenth of the peak.
 * @param step steps done before this one, from 0.
 */
export function learningRateAt(step: number, { learningRate, warmupSteps, totalSteps }: LearningRateSchedule): number {
  const warmup = warmupSteps > 0 ? Math.min(1, (step + 1) / warmupSteps) : 1
  const progress = Math.min(1, step / totalSteps)
  return learningRate * warmup * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)))
}
