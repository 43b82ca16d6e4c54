import { basename, isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { WinnowError } from '../../runtime/errors.ts'
import { goldenConfig, modelHere } from '../golden/model.ts'
import { clampedScores, subcategoriesOfClasses, versionOf } from '../mapping.ts'
import { LabelingThreads } from '../threads.ts'
import type { ActorOfLabels, Labeler, LabelResult } from '../types.ts'
import { checkTokenizer, describeFolder, type EncoderFolder } from './folder.ts'
import type { OnnxAnswer, OnnxRequest, OnnxWorkerData } from './worker.ts'

export const onnxConfig = z.strictObject({
  kind: z.literal('onnx').describe('By a Hugging Face encoder, exported to ONNX'),
  model: z.string().min(1).describe('A folder with the graph, tokenizer.json and config.json'),
  file: z
    .string()
    .regex(/^[^/\\]+\.onnx$/, 'must be the name of an .onnx file in the folder')
    .default('model.onnx')
    .describe("The graph's file in it; model_quantized.onnx if Optimum has made an int8 one"),
  device: z
    .enum(['cpu', 'cuda'])
    .default('cpu')
    .describe('cuda needs an NVIDIA device and the CUDA libraries of onnxruntime-node (docs/labelers.md)'),
  golden: goldenConfig,
  windows: z
    .strictObject({
      size: z
        .number()
        .int()
        .min(4)
        .optional()
        .describe('Tokens of a window, special tokens included; default: the maximum of the model, at most 512'),
      overlap: z.number().int().min(0).default(0).describe('Tokens that a window repeats from the one before'),
      combine: z
        .enum(['first', 'mean', 'max'])
        .default('first')
        .describe('first reads only the first window; mean and max combine the logits of all windows, class by class'),
      limit: z.number().int().min(1).default(16).describe('Further windows of a long document are not read'),
    })
    .prefault({})
    .describe('How long documents are read'),
  mapping: z
    .record(z.string(), z.string())
    .default({})
    .describe("Subcategory for each of the model's labels that is not itself the name of one"),
  batchTokens: z.number().int().min(1).default(8192).describe('Maximum padded tokens per batch; bounds memory'),
  bucket: z
    .enum(['length', 'arrival'])
    .default('length')
    .describe(
      'length: documents of similar length share a batch; arrival: documents are batched in order, which pads more',
    ),
  sessions: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe('Worker threads, each with a session of its own, and its memory'),
  threads: z.number().int().min(1).max(64).default(1).describe('Threads of one session'),
})
export type OnnxConfig = z.infer<typeof onnxConfig>

const sizeDefault = 512
/** Far above float32 rounding over a few dozen layers, far below what saturated products of an int8 graph do to a logit. */
const goldenTolerance = 0.01
/** Upper bound of a token's average length: of longer texts only this many characters per token to be read are tokenized. */
const charactersPerToken = 16
/** Documents per request to a thread: enough for bucketing by length, few enough that the next are tokenized meanwhile. */
const textsPerRequest = 128

function windowSize(actor: ActorOfLabels, config: OnnxConfig, encoder: EncoderFolder): number {
  const size = config.windows.size ?? Math.min(sizeDefault, encoder.positions)
  const wrong = (what: string, hint: string) =>
    new WinnowError('CONFIGURATION', `Labeler of actor ${actor.name}: ${what}`, { hint })
  if (size > encoder.positions)
    throw wrong(
      `windows.size ${size} is more than the ${encoder.positions} positions of ${encoder.folder}`,
      `Set at most ${encoder.positions}.`,
    )
  if (config.windows.overlap >= size / 2)
    throw wrong(
      `windows.overlap ${config.windows.overlap} is not below half of windows.size ${size}`,
      'Set a smaller overlap.',
    )
  return size
}

/** An encoder that fits its actor, how it reads texts, and the version of its labels. @throws WinnowError MODEL_UNUSABLE, CONFIGURATION */
async function prepare(actor: ActorOfLabels, config: OnnxConfig, baseFolder: string) {
  const folder = isAbsolute(config.model) ? config.model : join(baseFolder, config.model)
  const encoder = await describeFolder(folder, config.file)
  const size = windowSize(actor, config, encoder)
  const names = encoder.labels.map((label) => config.mapping[label] ?? label)
  const subcategories =
    encoder.kind === 'regression' ? [] : subcategoriesOfClasses(actor, names, join(encoder.folder, 'config.json'))
  const { overlap, combine } = config.windows
  const limit = combine === 'first' ? 1 : config.windows.limit
  const version = versionOf([
    'onnx',
    encoder.digest,
    size,
    overlap,
    combine,
    limit,
    names,
    actor.subcategories,
    ...(encoder.kind === 'regression' ? [clampedScores] : []),
    // Another device rounds differently.
    ...(config.device === 'cpu' ? [] : [config.device]),
  ])
  return { encoder, size, overlap, combine, limit, subcategories, version }
}

/** The version of the labeler, by digests of its files, without starting it. @throws WinnowError MODEL_UNUSABLE, CONFIGURATION */
export async function onnxVersion(actor: ActorOfLabels, config: OnnxConfig, baseFolder: string): Promise<string> {
  return (await prepare(actor, config, baseFolder)).version
}

/** Labels by a Hugging Face encoder exported to ONNX, in worker threads. @throws WinnowError MODEL_UNUSABLE, CONFIGURATION */
export async function createOnnxLabeler(
  actor: ActorOfLabels,
  config: OnnxConfig,
  baseFolder: string,
): Promise<Labeler> {
  const { encoder, size, overlap, combine, limit, subcategories, version } = await prepare(actor, config, baseFolder)
  checkTokenizer(encoder)
  const { batchTokens, bucket, device, threads } = config
  const data: OnnxWorkerData = {
    encoder,
    size,
    overlap,
    combine,
    limit,
    batchTokens,
    bucket,
    device,
    threads,
    subcategories,
    count: actor.subcategories.length,
  }
  const pool = await LabelingThreads.start<OnnxRequest, OnnxAnswer>(
    new URL('./worker.ts', import.meta.url),
    data,
    config.sessions,
  )
  const characters = size * limit * charactersPerToken
  const model = await modelHere({
    file: join(encoder.folder, `${basename(encoder.file, '.onnx')}.golden.json`),
    digest: encoder.digest,
    provider: device,
    tolerance: goldenTolerance,
    policy: config.golden,
    outputsOf: async (texts) => {
      const answer = await pool.ask({ outputsOf: texts })
      return 'outputs' in answer ? answer.outputs : []
    },
  }).catch(async (error: unknown) => {
    await pool.close()
    throw error
  })
  return {
    actor: actor.name,
    version,
    model,
    label: async (inputs) => {
      const requests: Promise<OnnxAnswer>[] = []
      for (let from = 0; from < inputs.length; from += textsPerRequest) {
        const slice = inputs.slice(from, from + textsPerRequest)
        requests.push(pool.ask({ texts: slice.map(({ text }) => text.slice(0, characters).toWellFormed()) }))
      }
      return (await Promise.all(requests)).flatMap((answer): LabelResult[] => ('labels' in answer ? answer.labels : []))
    },
    close: () => pool.close(),
  }
}
