import { inParallel } from '../pool.ts'
import type { ModelWorker } from '../worker/client.ts'
import type { Preconditioner } from '../worker/operations.ts'
import type { Estimator } from './estimator.ts'

export interface ProbeOptions {
  /** `cosine`: a step of length `step` whatever the gradient's norm; `none`: a step of `step` times the gradient. */
  normalize: 'none' | 'cosine'
  step: number
  /** What the step moves: all parameters, or only those whose gradients are projected. */
  parameters?: 'all' | 'projected'
  preconditioner?: Preconditioner
}

/**
 * MATES' probe: the loss of each task before minus after one small step down the document's gradient, plain or scaled by Adam's second
 * moments, from the checkpoint (windows averaged by targets). A forward pass over the whole reference per document: slow, and exact up to the
 * step's curvature.
 */
export function probeEstimator(pool: readonly ModelWorker[], options: ProbeOptions): Estimator {
  const { normalize, step, parameters = 'all', preconditioner = 'none' } = options
  return {
    name: `probe/${normalize}/${step}${preconditioner === 'none' ? '' : `/${preconditioner}`}`,

    async prepare(checkpoint, tasks) {
      const { losses: before } = await pool[0]!.call('probe', { checkpoint, tasks })
      return {
        summaries: tasks.map(({ length }, t) => ({ loss: before[t]!, sequences: length })),
        score: (documents) =>
          inParallel(pool, documents, 1, async (worker, [windows]) => {
            const on = { windows: windows!, size: step, normalize, parameters }
            const { losses: after } = await worker.call('probe', { checkpoint, tasks, step: on, preconditioner })
            return [before.map((loss, t) => loss - after[t]!)]
          }),
      }
    },
  }
}
