import { type DomainWeights, meanWeights } from './averaged.ts'

/** The mean of the weights so far, after each tenth of the updates. */
export function withCourse(course: readonly (readonly number[])[], state: DomainWeights, steps: number): number[][] {
  const tenths = (updates: number) => Math.floor((10 * updates) / steps)
  const before = course.map((weights) => [...weights])
  return tenths(state.updates) > tenths(state.updates - 1) ? [...before, meanWeights(state)] : before
}
