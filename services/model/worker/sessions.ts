import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { WinnowError } from '../../runtime/errors.ts'
import type { GraphName, ModelDescription } from '../description.ts'
import type { FloatTensor } from '../safetensors.ts'
import type { Sequence } from '../sequences.ts'
import type { WorkerOptions } from './operations.ts'
import { guarded } from './run-guard.ts'

export type Feeds = Record<string, Tensor>

/** A checkpoint in a worker thread. */
export interface State {
  weights: Feeds
  /** Adam's second moments by parameter name, if they were requested. */
  secondMoments?: Feeds
}

/** The sessions of one worker thread, each created on first use. */
export class Sessions {
  readonly #options: WorkerOptions
  readonly #sessions = new Map<GraphName, Promise<InferenceSession>>()
  readonly description: ModelDescription

  constructor(description: ModelDescription, options: WorkerOptions) {
    this.description = description
    this.#options = options
  }

  /** Runs a graph. Outputs that have a tensor in `outputs` are written into it. */
  async run(name: GraphName, feeds: Feeds, outputs?: Record<string, Tensor | null>): Promise<Feeds> {
    const results = await guarded(this.#options.guard, async () => {
      const session = await this.#get(name)
      return outputs === undefined ? session.run(feeds) : session.run(feeds, outputs)
    })
    return results as Feeds
  }

  #get(name: GraphName): Promise<InferenceSession> {
    let session = this.#sessions.get(name)
    if (session === undefined) {
      const { folder, device } = this.#options
      const file = join(folder, this.description.graphs[name].file)
      session = InferenceSession.create(file, {
        executionProviders: device === 'cuda' ? ['cuda', 'cpu'] : ['cpu'],
        intraOpNumThreads: this.#options.threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        logSeverityLevel: 3,
        // Threads that busy-wait take cores away from every other service on the machine.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      }).catch((cause: unknown) => {
        const hint =
          device === 'cuda'
            ? 'CUDA needs an NVIDIA device and the CUDA libraries of onnxruntime-node (docs/influence.md); influence.device: cpu runs anywhere.'
            : 'Export the graphs again (services/influence/export).'
        throw new WinnowError('MODEL_UNUSABLE', `${file}: ${cause instanceof Error ? cause.message : String(cause)}`, {
          hint,
          cause,
        })
      })
      this.#sessions.set(name, session)
    }
    return session
  }

  /** ids and mask of one sequence as inputs [1, length]. A batch of one, so that a result cannot depend on its neighbours. */
  one(sequence: Sequence): Feeds {
    return this.batch([sequence])
  }

  /** ids and mask of sequences as inputs [sequences, length of the longest], right-padded. */
  batch(sequences: readonly Sequence[]): Feeds {
    const length = Math.max(this.description.lengthMin, ...sequences.map(({ ids }) => ids.length))
    const ids = new Int32Array(sequences.length * length)
    const mask = new Float32Array(ids.length)
    for (const [row, sequence] of sequences.entries()) {
      ids.set(sequence.ids, row * length)
      mask.set(sequence.mask, row * length)
    }
    return { ids: this.ids(ids, sequences.length), mask: new Tensor('float32', mask, [sequences.length, length]) }
  }

  /** @throws RangeError for an id that the vocabulary does not have. */
  ids(ids: Int32Array, rows: number): Tensor {
    const vocabulary = this.description.config.vocab_size
    for (const id of ids)
      if (id < 0 || id >= vocabulary)
        throw new RangeError(`token id ${id} is not in the model's vocabulary of ${vocabulary}`)
    return new Tensor('int32', ids, [rows, ids.length / rows])
  }

  async release(): Promise<void> {
    for (const session of this.#sessions.values())
      await guarded(this.#options.guard, async () => (await session).release())
    this.#sessions.clear()
  }
}

export function tensorsOf(values: Iterable<readonly [string, FloatTensor]>): Feeds {
  const feeds: Feeds = {}
  for (const [name, { shape, data }] of values) feeds[name] = new Tensor('float32', data, shape)
  return feeds
}

export function scalar(value: number): Tensor {
  return new Tensor('float32', Float32Array.of(value), [])
}

/** The float32 values of an output. */
export function floats(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data
  throw new TypeError('the graph gave no float32 output')
}

/** Mean loss and weight of the targets of one sequence. */
export async function lossOf(
  sessions: Sessions,
  weights: Feeds,
  sequence: Sequence,
): Promise<{ loss: number; targets: number }> {
  const { loss, count } = await sessions.run('loss', { ...weights, ...sessions.one(sequence) })
  return { loss: floats(loss)[0]!, targets: floats(count)[0]! }
}

/** Sequences per run of a reference: larger batches gain nothing more, and its logits stay small. */
const sequencesPerRun = 16

/**
 * Mean losses of sequences, run in batches of similar length. Only for a reference, which never changes: in float32 the last bits of a loss
 * may depend on its batch.
 */
export async function lossesOf(sessions: Sessions, weights: Feeds, sequences: readonly Sequence[]): Promise<number[]> {
  const order = sequences.map((_, i) => i).sort((a, b) => sequences[a]!.ids.length - sequences[b]!.ids.length || a - b)
  const losses: number[] = []
  for (let from = 0; from < order.length; from += sequencesPerRun) {
    const batch = order.slice(from, from + sequencesPerRun)
    const { loss } = await sessions.run('loss', {
      ...weights,
      ...sessions.batch(batch.map((i) => sequences[i]!)),
    })
    for (const [row, i] of batch.entries()) losses[i] = floats(loss)[row]!
  }
  return losses
}
