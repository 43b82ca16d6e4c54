import { createHash } from 'node:crypto'
import { WinnowError } from '../runtime/errors.ts'
import type { PreparedReference, ReferenceSummary } from './estimators/estimator.ts'
import { gradientEstimator } from './estimators/gradient.ts'
import { probeEstimator } from './estimators/probe.ts'
import type { Model } from './model.ts'
import { Recent } from './recent.ts'
import { documentWindows, type Sequence, type TokenIds } from './sequences.ts'
import type { Checkpoint } from './worker/operations.ts'

export interface InfluenceOptions {
  /** `gradient`: products of projected gradients; `probe`: the reference loss before minus after one small step. Default: gradient. */
  estimator?: 'gradient' | 'probe'
  projectionSeed: string
  /** `cosine` takes the lengths of gradients out: rewards of long and short, early and late documents compare. */
  normalize: 'none' | 'cosine'
  /** Of `gradient`: H of Eq. 3. Default: identity. */
  hessian?: 'identity' | 'fisher'
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
  /** Computes what is needed of the reference tasks at the checkpoint, once: it is kept for the two checkpoints used last. */
  setReference(checkpoint: Checkpoint, tasks: readonly (readonly Sequence[])[]): Promise<readonly ReferenceSummary[]>
  /**
   * Rewards of documents, texts or token ids, at a checkpoint whose reference was set. 0 where a gradient vanishes.
   * @throws WinnowError CONFIGURATION where no reference was set; CHECKPOINT_INCOMPLETE or BAD_DATA where the checkpoint is unusable.
   */
  score(checkpoint: Checkpoint, documents: readonly (string | TokenIds)[]): Promise<number[]>
  /** As score, for each task apart: [documents][tasks]. */
  scoreTasks(checkpoint: Checkpoint, documents: readonly (string | TokenIds)[]): Promise<number[][]>
  close(): Promise<void>
}

/** Kept from the moment its computation starts, so that batches that come at once share it. */
interface KeptReference {
  referenceDigest: string
  prepared: Promise<PreparedReference>
}

const referencesMax = 2
/** Of a text only windows * context * 16 UTF-16 units are tokenized: more than the windows hold of any prose, but not a megabyte. */
const unitsPerToken = 16

export function createInfluence(model: Model, options: InfluenceOptions): Influence {
  const { normalize, context, overlap = 0, windows = 1, workers = 1, combine = 'mean' } = options
  const { projectionSeed, hessian = 'identity', damping = 0.1, probeStep = 0.01 } = options
  const pool = Array.from({ length: workers }, () => model.startWorker())
  const estimator =
    options.estimator === 'probe'
      ? probeEstimator(pool, { normalize, step: probeStep })
      : gradientEstimator(model.description, pool, { projectionSeed, normalize, hessian, damping })
  const references = new Recent<KeptReference>(referencesMax)

  async function tokensOf(document: string | TokenIds): Promise<TokenIds> {
    if (typeof document !== 'string') return document
    return model.tokenizer.encode(document.slice(0, windows * context * unitsPerToken))
  }

  function keepReference(checkpoint: Checkpoint, tasks: readonly (readonly Sequence[])[]): KeptReference {
    const referenceDigest = digestOf(tasks)
    const found = references.get(checkpoint.digest)
    if (found?.referenceDigest === referenceDigest) return found
    const kept = { referenceDigest, prepared: estimator.prepare(checkpoint, tasks) }
    // What failed is computed anew the next time: the file may be there by then. The caller gets the failure itself.
    kept.prepared.catch(() => {
      if (references.get(checkpoint.digest) === kept) references.delete(checkpoint.digest)
    })
    references.set(checkpoint.digest, kept)
    return kept
  }

  async function scoreTasks(checkpoint: Checkpoint, documents: readonly (string | TokenIds)[]): Promise<number[][]> {
    const kept = references.get(checkpoint.digest)
    if (kept === undefined)
      throw new WinnowError('CONFIGURATION', `No reference was set for the checkpoint ${checkpoint.path}`, {
        hint: 'Call setReference with this checkpoint first; it is kept for two checkpoints.',
      })
    const prepared = await kept.prepared
    const tokens = await Promise.all(documents.map(tokensOf))
    return prepared.score(tokens.map((each) => documentWindows(each, context, windows, overlap)))
  }

  return {
    estimator: estimator.name,

    async setReference(checkpoint, tasks) {
      if (tasks.length === 0 || tasks.some(({ length }) => length === 0))
        throw new WinnowError('CONFIGURATION', 'The reference has no sequences', {
          hint: 'Name at least one reference task, and none that is empty.',
        })
      return (await keepReference(checkpoint, tasks).prepared).summaries
    },

    async score(checkpoint, documents) {
      return (await scoreTasks(checkpoint, documents)).map((rewards) => combined(rewards, combine))
    },

    scoreTasks,

    async close() {
      await Promise.all(pool.map((worker) => worker.close()))
    },
  }
}

const combined = (rewards: readonly number[], how: 'mean' | 'max'): number =>
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
