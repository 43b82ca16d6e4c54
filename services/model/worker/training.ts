import { Tensor } from 'onnxruntime-node'
import { WinnowError } from '../../runtime/errors.ts'
import { fitting } from '../checkpoints/names.ts'
import { type FloatTensor, readSafetensors, sizeOf, writeSafetensors } from '../safetensors.ts'
import { initialWeights } from '../weights.ts'
import type { Answer, Argument, SavedState } from './operations.ts'
import { optimizerFeeds } from './optimizer.ts'
import { type Feeds, floats, lossOf, type Sessions, tensorsOf } from './sessions.ts'

/** Weights, then first and second moments, as named in the training graph and in checkpoints. */
const kinds = ['', 'm.', 'v.'] as const

/** A model in training. Its state stays in this thread: only token ids go in and numbers come out. */
export class Training {
  readonly #sessions: Sessions
  /** Of every tensor in a checkpoint, in its order. */
  readonly #shapes: ReadonlyMap<string, readonly number[]>
  #state: Feeds = {}
  /** The next step's outputs. State and outputs swap roles, so that no step allocates. */
  #spare: Feeds = {}
  #steps = 0

  constructor(sessions: Sessions) {
    this.#sessions = sessions
    const { parameters } = sessions.description
    this.#shapes = new Map(kinds.flatMap((kind) => parameters.map(({ name, shape }) => [kind + name, shape] as const)))
  }

  initialize({ seed }: Argument<'initialize'>): undefined {
    const weights = initialWeights(this.#sessions.description, seed)
    const zeros = (prefix: string): [string, FloatTensor][] =>
      [...weights].map(([name, { shape }]) => [prefix + name, { shape, data: new Float32Array(sizeOf(shape)) }])
    this.#adopt(new Map([...weights, ...zeros('m.'), ...zeros('v.')]), 0)
  }

  async step({ ids, rows, learningRate, rowWeights, ...settings }: Argument<'step'>): Promise<Answer<'step'>> {
    const tokens = this.#sessions.ids(ids, rows)
    const outputs: Record<string, Tensor | null> = { loss: null, gradient_norm: null }
    for (const name in this.#spare) outputs[`new.${name}`] = this.#spare[name]!
    const results = await this.#sessions.run(
      'train',
      {
        ...this.#state,
        ids: tokens,
        mask: new Tensor('float32', maskOf(ids.length, rows, rowWeights), tokens.dims),
        ...optimizerFeeds(settings, learningRate, this.#steps + 1),
      },
      outputs,
    )
    const used = this.#state
    this.#state = this.#spare
    this.#spare = used
    this.#steps += 1
    return { loss: floats(results.loss)[0]!, gradientNorm: floats(results.gradient_norm)[0]!, steps: this.#steps }
  }

  async likelihoods({ ids, rows }: Argument<'likelihoods'>): Promise<Answer<'likelihoods'>> {
    const tokens = this.#sessions.ids(ids, rows)
    const mask = new Tensor('float32', maskOf(ids.length, rows), tokens.dims)
    const { likelihood } = await this.#sessions.run('loss', { ...this.weights(), ids: tokens, mask })
    if (likelihood === undefined) {
      throw new WinnowError('MODEL_UNUSABLE', 'The graphs of this model do not give the losses of single tokens', {
        hint: 'They were exported by an earlier version: export them again with services/influence/export/export.py.',
      })
    }
    return { losses: floats(likelihood) }
  }

  /** One step whose new state is written by `update`, into arrays of [name, weights, first and second moments]. */
  advance(update: (name: string, weights: Float32Array, first: Float32Array, second: Float32Array) => void): number {
    for (const { name } of this.#sessions.description.parameters) {
      const [weights, first, second] = kinds.map((kind) => floats(this.#state[kind + name]))
      update(name, weights!, first!, second!)
    }
    this.#steps += 1
    return this.#steps
  }

  get steps(): number {
    return this.#steps
  }

  async evaluate({ sequences }: Argument<'evaluate'>): Promise<Answer<'evaluate'>> {
    let total = 0
    let tokens = 0
    for (const sequence of sequences) {
      const { loss, targets } = await lossOf(this.#sessions, this.weights(), sequence)
      total += loss * targets
      tokens += targets
    }
    return { loss: total / tokens, tokens }
  }

  save({ path, metadata }: Argument<'save'>): Promise<Answer<'save'>> {
    const tensors = Object.entries(this.#state).map(([name, tensor]): [string, FloatTensor] => [
      name,
      { shape: tensor.dims, data: floats(tensor) },
    ])
    return writeSafetensors(path, tensors, { ...metadata, steps: String(this.#steps) })
  }

  async load({ path }: Argument<'load'>): Promise<SavedState> {
    const { tensors, metadata, digest } = await readSafetensors(path)
    const steps = Number(metadata.steps ?? 'none')
    if (!Number.isSafeInteger(steps) || steps < 0)
      throw new WinnowError('BAD_DATA', `${path} does not say after how many steps it was written`, {
        hint: 'Training resumes only from checkpoints that a trainer wrote.',
      })
    const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]))
    const all = [...this.#shapes].map(
      ([name, shape]) => [name, fitting(path, name, { tensors, shapes }, shape)] as const,
    )
    this.#adopt(new Map(all), steps)
    return { steps, digest, metadata }
  }

  #adopt(tensors: ReadonlyMap<string, FloatTensor>, steps: number): void {
    this.#state = tensorsOf(tensors)
    this.#spare = tensorsOf(
      [...tensors].map(([name, { shape }]) => [name, { shape, data: new Float32Array(sizeOf(shape)) }]),
    )
    this.#steps = steps
  }

  /** By name, as graphs take them. */
  weights(): Feeds {
    return Object.fromEntries(this.#sessions.description.parameters.map(({ name }) => [name, this.#state[name]!]))
  }
}

/** The weight of every token of `rows` of equal length. */
function maskOf(length: number, rows: number, weights?: readonly number[]): Float32Array {
  const mask = new Float32Array(length).fill(1)
  const width = length / rows
  for (const [row, weight] of weights?.entries() ?? []) mask.fill(weight, row * width, (row + 1) * width)
  return mask
}
