import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { fieldAt } from '../../../topologies/fields.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { FeatureExtractor, featureSpec, surfaceCount } from './features.ts'

/**
 * model.json of a hashed model. Next to it, weights.bin holds, little-endian and in this order (D rows, H auxiliary classes of all groups, S
 * surface features, K outputs: the classes, or 1 for a regression):
 * - uint32: the bucket of each row [D]
 * - float32: inverse document frequency [D], column scales [H + K], auxiliary biases [H], surface weights [S * K], auxiliary weights [H * K], biases [K]
 * - int8: H + K weights for each row [D * (H + K)]; a weight is its int8 times its column's scale
 */
const modelFile = z.strictObject({
  format: z.literal('winnow-hashed/1'),
  task: z.string(),
  kind: z.enum(['regression', 'classification']),
  /** Names of the outputs; empty for a regression. */
  classes: z.array(z.string()),
  features: featureSpec,
  /** Buckets that have weights; the others are ignored. */
  rows: z.number().int().min(1),
  surface: z.strictObject({
    means: z.array(z.number()).length(surfaceCount),
    scales: z.array(z.number()).length(surfaceCount),
  }),
  /**
   * Label sets with plenty of annotations from elsewhere; their log-probabilities are features of the outputs. With `trust`, the class that a
   * document's metadata has under `name` is evidence, right with that probability.
   */
  auxiliary: z.array(
    z.strictObject({
      name: z.string(),
      classes: z.array(z.string()).min(2),
      trust: z.number().gt(0).lt(1).optional(),
    }),
  ),
  weights: z.strictObject({ sha256: z.string(), bytes: z.number().int() }),
  training: z.record(z.string(), z.unknown()),
  metrics: z.record(z.string(), z.unknown()),
})
export type ModelFile = z.infer<typeof modelFile>

/** Surface features are clipped to this many standard deviations: a 10 MB text is not a thousand times a long one. */
const surfaceClip = 3

/** The weights of weights.bin as arrays; see `ModelFile` for the shapes. */
export interface Weights {
  kept: Uint32Array
  idf: Float32Array
  columnScales: Float32Array
  auxiliaryBiases: Float32Array
  surfaceWeights: Float32Array
  auxiliaryWeights: Float32Array
  biases: Float32Array
  rows: Int8Array
}

export interface Sizes {
  rows: number
  auxiliary: number
  outputs: number
}

export function sizesOf(file: Pick<ModelFile, 'rows' | 'auxiliary' | 'kind' | 'classes'>): Sizes {
  const auxiliary = file.auxiliary.reduce((sum, group) => sum + group.classes.length, 0)
  return { rows: file.rows, auxiliary, outputs: file.kind === 'regression' ? 1 : file.classes.length }
}

function floatLengths({ rows, auxiliary, outputs }: Sizes): number[] {
  return [rows, auxiliary + outputs, auxiliary, surfaceCount * outputs, auxiliary * outputs, outputs]
}

function expectedBytes(sizes: Sizes): number {
  const words = floatLengths(sizes).reduce((sum, length) => sum + length, sizes.rows)
  return 4 * words + sizes.rows * (sizes.auxiliary + sizes.outputs)
}

export function encodeWeights(weights: Weights): Uint8Array {
  const { kept, idf, columnScales, auxiliaryBiases, surfaceWeights, auxiliaryWeights, biases, rows } = weights
  const parts = [kept, idf, columnScales, auxiliaryBiases, surfaceWeights, auxiliaryWeights, biases, rows]
  return Buffer.concat(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)))
}

function decodeWeights(bytes: Uint8Array, sizes: Sizes): Weights {
  const aligned = new Uint8Array(bytes).buffer
  const kept = new Uint32Array(aligned, 0, sizes.rows)
  let offset = 4 * sizes.rows
  const [idf, columnScales, auxiliaryBiases, surfaceWeights, auxiliaryWeights, biases] = floatLengths(sizes).map(
    (length) => {
      const part = new Float32Array(aligned, offset, length)
      offset += 4 * length
      return part
    },
  ) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array]
  const rows = new Int8Array(aligned, offset)
  return { kept, idf, columnScales, auxiliaryBiases, surfaceWeights, auxiliaryWeights, biases, rows }
}

export const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Reads a model folder. @throws WinnowError MODEL_UNUSABLE naming the file if it is missing, unreadable or damaged. */
export function readModel(folder: string): { file: ModelFile; weights: Weights; digest: string } {
  const unusable = (name: string, what: string, cause?: unknown) =>
    new WinnowError('MODEL_UNUSABLE', `${join(folder, name)}: ${what}`, {
      hint: 'Name a folder with the model.json and weights.bin that `winnow labeler train` wrote, or a shipped model as shipped:quality or shipped:topic.',
      ...(cause === undefined ? {} : { cause }),
    })
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name))
    } catch (cause) {
      throw unusable(name, 'cannot be read', cause)
    }
  }
  let json: unknown
  const text = read('model.json').toString('utf8')
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw unusable('model.json', 'is not JSON', cause)
  }
  const parsed = modelFile.safeParse(json)
  if (!parsed.success) throw unusable('model.json', `is not a winnow-hashed/1 model: ${z.prettifyError(parsed.error)}`)
  const file = parsed.data
  const bytes = read('weights.bin')
  const expected = expectedBytes(sizesOf(file))
  if (bytes.length !== expected)
    throw unusable('weights.bin', `has ${bytes.length} bytes, model.json asks for ${expected}`)
  if (sha256(bytes) !== file.weights.sha256)
    throw unusable('weights.bin', 'is not the file that model.json was written with (its SHA-256 differs)')
  return { file, weights: decodeWeights(bytes, sizesOf(file)), digest: sha256(text) }
}

/** Replaces the values in each group (consecutive entries of `logits`) by their log-probabilities. */
function logSoftmaxGroups(logits: Float64Array, groups: number[]): void {
  let start = 0
  for (const size of groups) {
    let maximum = Number.NEGATIVE_INFINITY
    for (let i = start; i < start + size; i++) maximum = Math.max(maximum, logits[i]!)
    let sum = 0
    for (let i = start; i < start + size; i++) sum += Math.exp(logits[i]! - maximum)
    const shift = maximum + Math.log(sum)
    for (let i = start; i < start + size; i++) logits[i]! -= shift
    start += size
  }
}

/**
 * Turns logits into log-probabilities, group by group, by Bayes' rule: `given[g]` is the class in the document's metadata for group g (-1:
 * none), which is right with the group's `trust`, and otherwise any other class.
 */
export function weighEvidence(
  logits: Float64Array,
  groups: readonly { readonly classes: readonly string[]; readonly trust?: number | undefined }[],
  given: ArrayLike<number>,
): void {
  let start = 0
  for (const [g, { classes, trust }] of groups.entries()) {
    if (given[g]! >= 0 && trust !== undefined)
      logits[start + given[g]!]! += Math.log((trust * (classes.length - 1)) / (1 - trust))
    start += classes.length
  }
  logSoftmaxGroups(
    logits,
    groups.map(({ classes }) => classes.length),
  )
}

/** For each group with `trust`, the class named by a field of the row, or -1. */
export function givenClasses(groups: ModelFile['auxiliary'], meta: unknown): number[] {
  return groups.map(({ name, classes, trust }) => {
    const value = trust === undefined ? undefined : fieldAt(meta, name)
    return typeof value === 'string' ? classes.indexOf(value) : -1
  })
}

/** A row's count becomes (1 + ln count) * idf; a text's values are then divided by their Euclidean norm. Returns that norm. */
function weighCounts(extractor: FeatureExtractor, idf: Float32Array, values: Float64Array): number {
  let squares = 0
  for (let i = 0; i < extractor.size; i++) {
    const count = extractor.counts[i]!
    const value = (count === 1 ? 1 : 1 + Math.log(count)) * idf[extractor.rows[i]!]!
    values[i] = value
    squares += value * value
  }
  return squares > 0 ? Math.sqrt(squares) : 1
}

export function standardizeSurface(surface: Float64Array, means: number[], scales: number[], index: number): number {
  return Math.max(-surfaceClip, Math.min(surfaceClip, (surface[index]! - means[index]!) / scales[index]!))
}

/** Scores texts with a hashed model. One scorer per thread: it reuses its arrays. */
export class HashedScorer {
  readonly outputs: Float64Array
  readonly #file: ModelFile
  readonly #weights: Weights
  readonly #sizes: Sizes
  readonly #extractor: FeatureExtractor
  readonly #values: Float64Array
  readonly #sums: Float64Array
  readonly #hidden: Float64Array

  constructor(file: ModelFile, weights: Weights) {
    this.#file = file
    this.#weights = weights
    this.#sizes = sizesOf(file)
    this.#extractor = new FeatureExtractor(file.features, weights.kept)
    this.#values = new Float64Array(this.#sizes.rows)
    this.#sums = new Float64Array(this.#sizes.auxiliary + this.#sizes.outputs)
    this.#hidden = new Float64Array(this.#sizes.auxiliary)
    this.outputs = new Float64Array(this.#sizes.outputs)
  }

  /**
   * The regression's value, or the classes' logits, in `outputs` (reused by the next call). `text` may be a prefix of `wholeLength`;
   * `given`: see `givenClasses`.
   */
  score(text: string, wholeLength: number = text.length, given: ArrayLike<number> = []): Float64Array {
    const { auxiliary, outputs } = this.#sizes
    const { surfaceWeights, auxiliaryWeights, biases, columnScales, auxiliaryBiases } = this.#weights
    this.#sumRows(text, wholeLength)
    const hidden = this.#hidden
    for (let h = 0; h < auxiliary; h++) hidden[h] = this.#sums[h]! * columnScales[h]! + auxiliaryBiases[h]!
    weighEvidence(hidden, this.#file.auxiliary, given)
    for (let k = 0; k < outputs; k++)
      this.outputs[k] = this.#sums[auxiliary + k]! * columnScales[auxiliary + k]! + biases[k]!
    for (let h = 0; h < auxiliary; h++) {
      for (let k = 0; k < outputs; k++) this.outputs[k]! += hidden[h]! * auxiliaryWeights[h * outputs + k]!
    }
    const { means, scales } = this.#file.surface
    for (let s = 0; s < surfaceCount; s++) {
      const value = standardizeSurface(this.#extractor.surface, means, scales, s)
      for (let k = 0; k < outputs; k++) this.outputs[k]! += value * surfaceWeights[s * outputs + k]!
    }
    return this.outputs
  }

  #sumRows(text: string, wholeLength: number): void {
    const extractor = this.#extractor
    const { idf, rows } = this.#weights
    extractor.extract(text, wholeLength)
    const norm = weighCounts(extractor, idf, this.#values)
    const sums = this.#sums
    const width = sums.length
    sums.fill(0)
    for (let i = 0; i < extractor.size; i++) {
      const value = this.#values[i]! / norm
      const start = extractor.rows[i]! * width
      for (let column = 0; column < width; column++) sums[column]! += value * rows[start + column]!
    }
  }
}
