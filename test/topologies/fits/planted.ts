import { type Table, tableOf } from '../../../topologies/fits/table.ts'
import { Uniforms } from '../../../topologies/fits/uniforms.ts'
import { seedOf } from '../../../topologies/selection/u64.ts'

/** The stream of random numbers of a test. */
export const uniformsOf = (name: string) => new Uniforms(seedOf(name, 0, 'mixtures:domain'))

/** A table of mixtures of which the loss is known. */
export function planted(
  rows: number,
  features: number,
  loss: (mixture: readonly number[]) => number,
  name = 'planted',
): Table {
  const uniforms = uniformsOf(name)
  const mixtures = Array.from({ length: rows }, () => uniforms.dirichlet(new Array<number>(features).fill(1)))
  return tableOf(mixtures, mixtures.map(loss))
}
