import { withCourse } from '../../../topologies/mixing/course.ts'
import {
  type DoremiOptions,
  type DoremiState,
  doremiStart,
  doremiUpdate,
  excessByDomain,
  rowWeights,
} from '../../../topologies/mixing/doremi.ts'
import { domainsOfStep } from '../../../topologies/mixing/rows.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Trainer } from '../../model/trainer.ts'
import type { Stage } from './stage.ts'

export interface Learned<State> {
  readonly weights: State
  /** See `LearnedWeights` of schemas/records/campaign.ts. */
  readonly course: readonly (readonly number[])[]
}

/** The reference model: rows drawn by the prior, trained as ever. */
export const referenceStage = (run: RunConfig, prior: readonly number[]): Stage<null> => ({
  name: 'reference',
  initial: null,
  step: async (trainer, streams, state, at) => {
    const domains = domainsOfStep(run.selection.seed, at, run.trainer.batch, prior)
    await trainer.step(await streams.rows(domains))
    return state
  },
})

/**
 * The proxy: the same rows; the weights move by its losses before the step (Algorithm 1), and then weigh the step.
 * @param prior tokens by domain
 * @param reference the trained reference model
 */
export const doremiStage = (
  run: RunConfig,
  prior: readonly number[],
  reference: Pick<Trainer, 'likelihoods'>,
  options: DoremiOptions,
): Stage<Learned<DoremiState>> => {
  const start = doremiStart(prior)
  const { batch, context } = run.trainer
  return {
    name: 'proxy',
    initial: { weights: start, course: [] },
    step: async (trainer, streams, { weights, course }, at) => {
      const domains = domainsOfStep(run.selection.seed, at, batch, prior)
      const ids = await streams.rows(domains)
      const [proxy, before] = await Promise.all([trainer.likelihoods(ids), reference.likelihoods(ids)])
      const rows = domains.map((domain, row) => {
        const [from, to] = [row * context, (row + 1) * context]
        return { domain, proxy: proxy.subarray(from, to), reference: before.subarray(from, to) }
      })
      const moved = doremiUpdate(weights, excessByDomain(rows, prior.length), options)
      await trainer.step(ids, rowWeights(domains, moved.weights, start.weights))
      return { weights: moved, course: withCourse(course, moved, run.steps) }
    },
  }
}
