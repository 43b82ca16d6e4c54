import type { CheckpointRef } from '../../../topologies/stations/influence.ts'
import type { ModelDescription } from '../description.ts'
import { fisherInverse } from '../fisher.ts'
import { inParallel } from '../pool.ts'
import { projectedSize } from '../projection.ts'
import type { Sequence } from '../sequences.ts'
import { addScaled, dot, norm } from '../vector.ts'
import type { ModelWorker } from '../worker/client.ts'
import type { Preconditioner } from '../worker/operations.ts'
import type { Estimator } from './estimator.ts'

export interface GradientOptions {
  projectionSeed: string
  normalize: 'none' | 'cosine'
  hessian: 'identity' | 'fisher'
  /** See fisher.ts. */
  damping: number
  preconditioner: Preconditioner
}

interface Gradient {
  phi: Float32Array
  loss: number
  targets: number
}

interface Task {
  /** H^-1 times the mean projected gradient. */
  direction: Float64Array
  directionNorm: number
}

/** Sequences per worker call: enough to hide the cost of the call, few enough to share work evenly. */
const sequencesPerCall = 8

/**
 * The inner product of the document's projected gradient with H^-1 times the task's mean projected gradient (Eq. 3), both of mean loss per
 * token; `cosine` divides it by the norms of these two vectors. H is the identity, or the damped Fisher matrix of all tasks' reference samples
 * at the checkpoint: every worker has them, so a document's reward cannot depend on which others are requested with it. With Adam's
 * preconditioner D the document's step would be D times its gradient: the task's mean gradient is multiplied by D before it is projected,
 * which is the same inner product and exact.
 */
export function gradientEstimator(
  description: ModelDescription,
  pool: readonly ModelWorker[],
  { projectionSeed, normalize, hessian, damping, preconditioner }: GradientOptions,
): Estimator {
  const size = projectedSize(description)

  const gradientsOf = (checkpoint: CheckpointRef, sequences: readonly Sequence[]): Promise<Gradient[]> =>
    inParallel(pool, sequences, sequencesPerCall, async (worker, part) => {
      const { phi, losses, targets } = await worker.call('gradients', { checkpoint, projectionSeed, sequences: part })
      return part.map((_, i) => ({
        phi: phi.subarray(i * size, (i + 1) * size),
        loss: losses[i]!,
        targets: targets[i]!,
      }))
    })

  const preconditionedMeans = (
    checkpoint: CheckpointRef,
    tasks: readonly (readonly Sequence[])[],
  ): Promise<Float64Array[]> =>
    inParallel(pool, tasks, 1, async (worker, [sequences]) => {
      const argument = { checkpoint, projectionSeed, sequences: sequences!, preconditioner: 'adam' as const }
      return [(await worker.call('direction', argument)).direction]
    })

  const rewardOf = (gradient: Float64Array, { direction, directionNorm }: Task): number => {
    const product = dot(gradient, direction)
    return normalize === 'none' || product === 0 ? product : product / (norm(gradient) * directionNorm)
  }

  return {
    name: `gradient/${normalize}/${hessian === 'identity' ? hessian : `fisher-${damping}`}${preconditioner === 'none' ? '' : `/${preconditioner}`}`,

    async prepare(checkpoint, tasks) {
      const all = await gradientsOf(checkpoint, tasks.flat())
      const parts = inGroups(
        all,
        tasks.map(({ length }) => length),
      )
      const rows = all.map(({ phi }) => phi)
      const inverse = hessian === 'identity' ? (vector: Float64Array) => vector : await fisherInverse(rows, damping)
      const means = parts.map((part) => meanOf(part, size))
      const bases = preconditioner === 'none' ? means : await preconditionedMeans(checkpoint, tasks)
      const directions: Task[] = bases.map((base) => {
        const direction = inverse(base)
        return { direction, directionNorm: norm(direction) }
      })
      return {
        summaries: parts.map((part, t) => ({
          loss: part.reduce((sum, { loss }) => sum + loss, 0) / part.length,
          sequences: part.length,
          gradientNorm: norm(means[t]!),
        })),
        async score(documents) {
          const gradients = await gradientsOf(checkpoint, documents.flat())
          const windows = inGroups(
            gradients,
            documents.map(({ length }) => length),
          )
          return windows.map((group) => {
            const gradient = averageByTargets(group, size)
            return directions.map((task) => rewardOf(gradient, task))
          })
        },
      }
    },
  }
}

function inGroups<T>(values: readonly T[], lengths: readonly number[]): T[][] {
  let at = 0
  return lengths.map((length) => {
    at += length
    return values.slice(at - length, at)
  })
}

function meanOf(gradients: readonly Gradient[], size: number): Float64Array {
  const mean = new Float64Array(size)
  for (const { phi } of gradients) addScaled(mean, phi, 1 / gradients.length)
  return mean
}

function averageByTargets(windows: readonly Gradient[], size: number): Float64Array {
  const total = windows.reduce((sum, { targets }) => sum + targets, 0)
  const mean = new Float64Array(size)
  for (const { phi, targets } of windows) addScaled(mean, phi, targets / total)
  return mean
}
