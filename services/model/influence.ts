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
  /** `cosine` removes the norms of gradients, so that rewards of long and short, early and late documents are comparable. */
  normalize: 'none' | 'cosine'
  /** For `gradient`: H of Eq. 3. Default: identity. */
  hessian?: 'identity' | 'fisher'
  /** `adam`: steps are Adam's, by the second moments in the checkpoint, which must have them. Default: none. */
  preconditioner?: Preconditioner
  /** For `fisher`, see fisher.ts. Default: 0.1, as DataInf. */
  damping?: number
  /** For `probe`: learning rate of the step, or with `cosine` its length. Small, so that the loss is almost linear along it. */
  probeStep?: number
  /** Targets in a window of a document. */
  context: number
  /** Tokens that a window repeats from the one before; see documentWindows. Default: 0. */
  overlap?: number
  /** Maximum windows of a document, from its start; averaged by targets. */
  windows?: number
  /** How the rewards for several tasks are combined. Default: mean. */
  combine?: 'mean' | 'max'
  /** Number of worker threads. The result does not depend on it. */
  workers?: number
}

/**
 * Rewards of documents (SELECTION.md, "Rewards"). Positive: a gradient step on the document lowers the reference loss. A document's reward is
 * a function of the document, the checkpoint, the reference and the options alone, to the bit: every window is run as a batch of its own, and
 * nothing is computed across documents requested together.
 */
export interface Influence {
  /** Its name in reward events, for example `gradient/cosine/identity`. */
  readonly estimator: string
  /**
   * The reference tasks at a checkpoint, computed once and kept for the two most recently used checkpoints. @throws WinnowError CONFIGURATION
   * if a task is empty; CHECKPOINT_INCOMPLETE or BAD_DATA if the checkpoint is unusable.
   */
  at(checkpoint: CheckpointRef, tasks: readonly (readonly Sequence[])[]): Promise<Reference>
  close(): Promise<void>
}

/** Reference tasks at one checkpoint, to which all results refer. */
export interface Reference {
  /** One for each task. */
  readonly summaries: readonly ReferenceSummary[]
  /** Rewards of documents, given as texts or token ids. 0 if a gradient vanishes. */
  score(documents: readonly (string | TokenIds)[]): Promise<number[]>
  /** As score, but separately for each task: [documents][tasks]. */
  scoreTasks(documents: readonly (string | TokenIds)[]): Promise<number[][]>
  /** As scoreTasks, with the tokens that the model read of each document. */
  scoreRead(documents: readonly (string | TokenIds)[]): Promise<{ rewards: number[][]; read: number[] }>
}

/** Cached from the moment its computation starts, so that concurrent batches share it. */
interface KeptReference {
  referenceDigest: string
  reference: Promise<Reference>
}

const referencesMax = 2
/** Only windows * context * 16 UTF-16 units of a text are tokenized: enough to fill the windows with any prose, but never a megabyte. */
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
    const scoreRead: Reference['scoreRead'] = async (documents) => {
      const tokens = await Promise.all(documents.map(tokensOf))
      const cut = tokens.map((each) => documentWindows(each, context, windows, overlap, model.tokenizer.endOfText))
      return { rewards: await score(cut), read: cut.map(tokensIn) }
    }
    const scoreTasks: Reference['scoreTasks'] = async (documents) => (await scoreRead(documents)).rewards
    return {
      summaries,
      scoreTasks,
      scoreRead,
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
        // Computed again next time: the file may be there by then.
        if (references.peek(checkpoint.digest) === kept) references.delete(checkpoint.digest)
        throw error
      }
    },

    async close() {
      await Promise.all(pool.map((worker) => worker.close()))
    },
  }
}

/** Tokens that a model reads of sequences. */
export const tokensIn = (sequences: readonly Sequence[]): number =>
  sequences.reduce((sum, { ids }) => sum + ids.length, 0)

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
