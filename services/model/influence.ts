import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { CheckpointRef } from '../../topologies/stations/influence.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { ReferenceSummary } from './estimators/estimator.ts'
import { gradientEstimator } from './estimators/gradient.ts'
import { probeEstimator } from './estimators/probe.ts'
import type { Model } from './model.ts'
import { documentWindows, type Sequence, type TokenIds } from './sequences.ts'
import type { Preconditioner } from './worker/operations.ts'

export interface InfluenceOptions {
  /** `gradient`: products of projected gradients; `probe`: the reference loss before minus after one small step. Default: gradient. */
  estimator?: 'gradient' | 'probe'
  projectionSeed: string
  /** `cosine` takes the lengths of gradients out: rewards of long and short, early and late documents compare. */
  normalize: 'none' | 'cosine'
  /** Of `gradient`: H of Eq. 3. Default: identity. */
  hessian?: 'identity' | 'fisher'
  /** `adam`: steps are Adam's, by the second moments in the checkpoint, which must have them. Default: none. */
  preconditioner?: Preconditioner
  /** Of `fisher`, see fisher.ts. Default: 0.1, as DataInf. */
  damping?: number
  /** Of `probe`: learning rate of the step, or with `cosine` its length. Small, so that the loss is almost linear along it. */
  probeStep?: number
  /** Targets in a window of a document. */
  context: number
  /** Tokens that a window sees again of the one before; see documentWindows. Default: 0. */
  overlap?: number
  /** Windows of a document at most, from its start; averaged by targets. */
  windows?: number
  /** How the rewards for several tasks become one. Default: mean. */
  combine?: 'mean' | 'max'
  /** Threads that compute. The result does not depend on it. */
  workers?: number
}

/**
 * Rewards of documents (SELECTION.md, "Rewards"). Positive: a gradient step on the document lowers the reference loss. A document's
 * reward is a function of the document, the checkpoint, the reference and the options alone, to the bit: every window is run as a
 * batch of its own, and nothing is computed across the documents that are asked for together.
 */
export interface Influence {
  /** As reward events name it, for example `gradient/cosine/identity`. */
  readonly estimator: string
  /**
   * The reference tasks at a checkpoint, computed once: kept for the two checkpoints used last.
   * @throws WinnowError CONFIGURATION where a task is empty; CHECKPOINT_INCOMPLETE or BAD_DATA where the checkpoint is unusable.
   */
  at(checkpoint: CheckpointRef, tasks: readonly (readonly Sequence[])[]): Promise<Reference>
  close(): Promise<void>
}

/** Reference tasks at one checkpoint: whatever is asked of it is answered at that one. */
export interface Reference {
  /** One for each task. */
  readonly summaries: readonly ReferenceSummary[]
  /** Rewards of documents, texts or token ids. 0 where a gradient vanishes. */
  score(documents: readonly (string | TokenIds)[]): Promise<number[]>
  /** As score, for each task apart: [documents][tasks]. */
  scoreTasks(documents: readonly (string | TokenIds)[]): Promise<number[][]>
}

/** Kept from the moment its computation starts, so that batches that come at once share it. */
interface KeptReference {
  referenceDigest: string
  reference: Promise<Reference>
}

const referencesMax = 2
/** Of a text only windows * context * 16 UTF-16 units are tokenized: more than the windows hold of any prose, but not a megabyte. */
const unitsPerToken = 16

export function createInfluence(model: Model, options: InfluenceOptions): Influence {
  const { normalize, context, overlap = 0, windows = 1, workers = 1, combine = 'mean' } = options
  const { projectionSeed, hessian = 'identity', damping = 0.1, probeStep = 0.01, preconditioner = 'none' } = options
  const pool = Array.from({ length: workers }, () => model.startWorker())
  const estimator =
    options.estimator === 'probe'
      ? probeEstimator(pool, { normalize, step: probeStep, preconditioner })
      : gradientEstimator(model.description, pool, { projectionSeed, normalize, hessian, damping, preconditioner })
  const references = new LRUCache<string, KeptReference>({ max: referencesMax })

  async function tokensOf(document: string | TokenIds): Promise<TokenIds> {
    if (typeof document !== 'string') return document
    return model.tokenizer.encode(document.slice(0, windows * context * unitsPerToken))
  }

  async function prepare(checkpoint: CheckpointRef, tasks: readonly (readonly Sequence[])[]): Promise<Reference> {
    const { summaries, score } = await estimator.prepare(checkpoint, tasks)
    const scoreTasks: Reference['scoreTasks'] = async (documents) => {
      const tokens = await Promise.all(documents.map(tokensOf))
      return score(tokens.map((each) => documentWindows(each, context, windows, overlap, model.tokenizer.endOfText)))
    }
    return {
      summaries,
      scoreTasks,
      score: async (documents) => (await scoreTasks(documents)).map((rewards) => combined(rewards, combine)),
    }
  }

  return {
    estimator: estimator.name,

    async at(checkpoint, tasks) {
      if (tasks.length === 0 || tasks.some(({ length }) => length === 0))
        throw new WinnowError('CONFIGURATION', 'The reference has no sequences', {
          hint: 'Name at least one reference task, and none that is empty.',
        })
      const referenceDigest = digestOf(tasks)
      const found = references.get(checkpoint.digest)
      if (found?.referenceDigest === referenceDigest) return await found.reference
      const kept = { referenceDigest, reference: prepare(checkpoint, tasks) }
      references.set(checkpoint.digest, kept)
      try {
        return await kept.reference
      } catch (error) {
        // It is computed anew the next time: the file may be there by then.
        if (references.peek(checkpoint.digest) === kept) references.delete(checkpoint.digest)
        throw error
      }
    },

    async close() {
      await Promise.all(pool.map((worker) => worker.close()))
    },
  }
}

/** The reward for several tasks. */
export const combined = (rewards: readonly number[], how: 'mean' | 'max'): number =>
  how === 'max' ? Math.max(...rewards) : rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length

function digestOf(tasks: readonly (readonly Sequence[])[]): string {
  const hash = createHash('sha256')
  for (const sequences of tasks) {
    hash.update(`task of ${sequences.length}:`)
    for (const { ids, mask } of sequences) {
      hash.update(`${ids.length};`)
      for (const { buffer, byteOffset, byteLength } of [ids, mask])
        hash.update(new Uint8Array(buffer, byteOffset, byteLength))
    }
  }
  return hash.digest('hex')
}
