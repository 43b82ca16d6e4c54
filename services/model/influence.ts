import { createHash } from 'node:crypto'
import { WinnowError } from '../runtime/errors.ts'
import type { Model } from './model.ts'
import { projectedSize } from './projection.ts'
import { Recent } from './recent.ts'
import { documentWindows, type Sequence, type TokenIds } from './sequences.ts'
import { addScaled, dot, norm } from './vector.ts'
import type { ModelWorker } from './worker/client.ts'
import type { Checkpoint } from './worker/operations.ts'

export interface InfluenceOptions {
  projectionSeed: string
  /** `cosine` divides by the norms of both gradients: rewards of long and short, early and late documents compare. */
  normalize: 'none' | 'cosine'
  /** Targets in a window of a document. */
  context: number
  /** Windows of a document at most, from its start; their gradients are averaged by targets. */
  windows?: number
  /** Threads that compute gradients. The result does not depend on it. */
  workers?: number
}

/** What a reference is at a checkpoint. */
export interface ReferenceSummary {
  /** Mean over the sequences of their mean losses. */
  loss: number
  sequences: number
  /** Norm of the mean projected gradient. */
  gradientNorm: number
}

/**
 * Rewards of documents (SELECTION.md, "Rewards", estimator `gradient`, H the identity): the inner product of the document's
 * projected gradient with the mean projected gradient of the reference, both of mean loss per token. Positive: a gradient step
 * on the document lowers the reference loss. A document's reward is a function of the document, the checkpoint, the reference
 * and the options alone, to the bit: every window is run as a batch of its own.
 */
export interface Influence {
  /** As rewards name it, for example `gradient/cosine/identity`. */
  readonly estimator: string
  /** Computes the mean gradient of the reference at the checkpoint, once: it is kept for the two checkpoints used last. */
  setReference(checkpoint: Checkpoint, reference: readonly Sequence[]): Promise<ReferenceSummary>
  /**
   * Rewards of documents, texts or token ids, at a checkpoint whose reference was set. 0 where a gradient vanishes.
   * @throws WinnowError CONFIGURATION where no reference was set; BAD_DATA where the checkpoint is unusable.
   */
  score(checkpoint: Checkpoint, documents: readonly (string | TokenIds)[]): Promise<number[]>
  close(): Promise<void>
}

interface ReferenceGradient extends ReferenceSummary {
  gradient: Float64Array
}

/** Kept from the moment its computation starts, so that batches that come at once share it. */
interface KeptReference {
  referenceDigest: string
  result: Promise<ReferenceGradient>
}

const referencesMax = 2
/** Of a text only windows * context * 16 UTF-16 units are tokenized: more than the windows hold of any prose, but not a megabyte. */
const unitsPerToken = 16
/** Sequences in one call of a worker: long enough to hide the call, short enough to share work evenly. */
const sequencesPerCall = 8

export function createInfluence(model: Model, options: InfluenceOptions): Influence {
  const { projectionSeed, normalize, context, windows = 1, workers = 1 } = options
  const pool = Array.from({ length: workers }, () => model.startWorker())
  const references = new Recent<KeptReference>(referencesMax)
  const size = projectedSize(model.description)

  async function gradientsOf(checkpoint: Checkpoint, sequences: readonly Sequence[]): Promise<Gradients[]> {
    return inParallel(pool, sequences, (worker, part) =>
      worker
        .call('gradients', { checkpoint, projectionSeed, sequences: part })
        .then(({ phi, losses, targets }) =>
          part.map((_, i) => ({ phi: phi.subarray(i * size, (i + 1) * size), loss: losses[i]!, targets: targets[i]! })),
        ),
    )
  }

  async function tokensOf(document: string | TokenIds): Promise<TokenIds> {
    if (typeof document !== 'string') return document
    return model.tokenizer.encode(document.slice(0, windows * context * unitsPerToken))
  }

  async function meanGradient(checkpoint: Checkpoint, reference: readonly Sequence[]): Promise<ReferenceGradient> {
    const gradients = await gradientsOf(checkpoint, reference)
    const gradient = new Float64Array(size)
    for (const { phi } of gradients) addScaled(gradient, phi, 1 / reference.length)
    const loss = gradients.reduce((sum, each) => sum + each.loss, 0) / reference.length
    return { gradient, loss, sequences: reference.length, gradientNorm: norm(gradient) }
  }

  function keepReference(checkpoint: Checkpoint, reference: readonly Sequence[]): KeptReference {
    const referenceDigest = digestOf(reference)
    const found = references.get(checkpoint.digest)
    if (found?.referenceDigest === referenceDigest) return found
    const result = meanGradient(checkpoint, reference)
    // What failed is computed anew the next time: the file may be there by then. The caller gets the failure itself.
    result.catch(() => references.delete(checkpoint.digest))
    const kept = { referenceDigest, result }
    references.set(checkpoint.digest, kept)
    return kept
  }

  return {
    estimator: `gradient/${normalize}/identity`,

    async setReference(checkpoint, reference) {
      if (reference.length === 0)
        throw new WinnowError('CONFIGURATION', 'The reference has no sequences', {
          hint: 'Name at least one reference task.',
        })
      const { loss, sequences, gradientNorm } = await keepReference(checkpoint, reference).result
      return { loss, sequences, gradientNorm }
    },

    async score(checkpoint, documents) {
      const kept = references.get(checkpoint.digest)
      if (kept === undefined)
        throw new WinnowError('CONFIGURATION', `No reference was set for the checkpoint ${checkpoint.path}`, {
          hint: 'Call setReference with this checkpoint first; it is kept for two checkpoints.',
        })
      const reference = await kept.result
      const tokens = await Promise.all(documents.map(tokensOf))
      const cut = tokens.map((each) => documentWindows(each, context, windows))
      const gradients = await gradientsOf(checkpoint, cut.flat())
      let at = 0
      return cut.map(({ length }) => {
        const gradient = averageByTargets(gradients.slice(at, at + length), size)
        at += length
        const product = dot(gradient, reference.gradient)
        if (normalize === 'none' || product === 0) return product
        return product / (norm(gradient) * reference.gradientNorm)
      })
    },

    async close() {
      await Promise.all(pool.map((worker) => worker.close()))
    },
  }
}

interface Gradients {
  phi: Float32Array
  loss: number
  targets: number
}

function averageByTargets(windows: readonly Gradients[], size: number): Float64Array {
  const total = windows.reduce((sum, { targets }) => sum + targets, 0)
  const mean = new Float64Array(size)
  for (const { phi, targets } of windows) addScaled(mean, phi, targets / total)
  return mean
}

/** Shares out the sequences in parts; results in the order of the sequences. */
async function inParallel<T>(
  pool: readonly ModelWorker[],
  sequences: readonly Sequence[],
  compute: (worker: ModelWorker, part: readonly Sequence[]) => Promise<T[]>,
): Promise<T[]> {
  const results: T[][] = []
  let next = 0
  async function work(worker: ModelWorker): Promise<void> {
    while (next * sequencesPerCall < sequences.length) {
      const part = next++
      results[part] = await compute(worker, sequences.slice(part * sequencesPerCall, (part + 1) * sequencesPerCall))
    }
  }
  await Promise.all(pool.map(work))
  return results.flat()
}

function digestOf(sequences: readonly Sequence[]): string {
  const hash = createHash('sha256')
  for (const { ids, mask } of sequences) {
    hash.update(`${ids.length};`)
    for (const { buffer, byteOffset, byteLength } of [ids, mask])
      hash.update(new Uint8Array(buffer, byteOffset, byteLength))
  }
  return hash.digest('hex')
}
