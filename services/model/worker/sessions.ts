import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { GraphName, ModelDescription } from '../description.ts'
import type { FloatTensor } from '../safetensors.ts'
import { padded, type Sequence } from '../sequences.ts'
import type { WorkerOptions } from './operations.ts'
import { guarded } from './run-guard.ts'

export type Feeds = Record<string, Tensor>

/** The sessions of one worker thread, each made when first asked for. */
export class Sessions {
  readonly #options: WorkerOptions
  readonly #sessions = new Map<GraphName, Promise<InferenceSession>>()
  readonly description: ModelDescription

  constructor(description: ModelDescription, options: WorkerOptions) {
    this.description = description
    this.#options = options
  }

  /** Runs a graph. Outputs named in `outputs` with a tensor are written into it. */
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
      session = InferenceSession.create(join(this.#options.folder, this.description.graphs[name].file), {
        intraOpNumThreads: this.#options.threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        logSeverityLevel: 3,
        // Threads that wait in a busy loop take the cores from every other service of the machine.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      })
      this.#sessions.set(name, session)
    }
    return session
  }

  /** ids and mask of one sequence as inputs [1, length]. A batch of one, so that a result cannot depend on its neighbours. */
  one(sequence: Sequence): Feeds {
    const { ids, mask } = padded(sequence, this.description.lengthMin)
    return { ids: this.ids(ids, 1), mask: new Tensor('float32', mask, [1, mask.length]) }
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
