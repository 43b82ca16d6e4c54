import { type DomainWeights, initialDomainWeights } from '../../../topologies/mixing/averaged.ts'
import { withCourse } from '../../../topologies/mixing/course.ts'
import { type DogeOptions, dogeUpdate } from '../../../topologies/mixing/doge.ts'
import { rowsPerDomain } from '../../../topologies/mixing/rows.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Sequence } from '../../model/sequences.ts'
import type { Learned } from './doremi.ts'
import type { Stage } from './stage.ts'
import type { DomainStreams } from './streams.ts'

/**
 * The proxy of DoGE: rows of every domain alike; the weights move by the products of the domains' gradients, and the step goes along their weighted sum.
 * @param prior tokens by domain: those without any take no part
 * @param targets out of domain: sequences that the mixture is to serve, a batch of them a step, over and over
 */
export const dogeStage = (
  run: RunConfig,
  prior: readonly number[],
  targets: readonly Sequence[],
  options: DogeOptions,
): Stage<Learned<DomainWeights>> => {
  const { batch } = run.trainer
  const rows = rowsPerDomain(batch, prior.filter((tokens) => tokens > 0).length)
  return {
    name: 'proxy',
    // Uniform, as in the authors' code.
    initial: { weights: initialDomainWeights(prior.map((tokens) => (tokens > 0 ? 1 : 0))), course: [] },
    step: async (trainer, streams, { weights, course }, at) => {
      const domains: (Sequence[] | null)[] = []
      for (const [d, tokens] of prior.entries()) domains.push(tokens > 0 ? await sequencesOf(streams, d, rows) : null)
      const target =
        options.variant === 'universal'
          ? null
          : Array.from({ length: batch }, (_, i) => targets[(at * batch + i) % targets.length]!)
      const products = await trainer.gradients(domains, target)
      const moved = dogeUpdate(weights, products, trainer.learningRate, options)
      await trainer.stepAlong(moved.weights)
      return { weights: moved, course: withCourse(course, moved, run.steps) }
    },
  }
}

async function sequencesOf(streams: DomainStreams, domain: number, rows: number): Promise<Sequence[]> {
  const sequences: Sequence[] = []
  for (let row = 0; row < rows; row++) {
    const ids = await streams.row(domain)
    sequences.push({ ids, mask: new Float32Array(ids.length).fill(1) })
  }
  return sequences
}
