import { z } from 'zod'
import { goldenConfig } from '../golden/model.ts'
import { rangesConfig } from '../ranges.ts'

export const onnxConfig = z.strictObject({
  kind: z.literal('onnx').describe('By a Hugging Face encoder, exported to ONNX'),
  model: z.string().min(1).describe('A folder with the graph, tokenizer.json and config.json'),
  file: z
    .string()
    .regex(/^[^/\\]+\.onnx$/, 'must be the name of an .onnx file in the folder')
    .default('model.onnx')
    .describe("The graph's file in it; model_quantized.onnx if Optimum has made an int8 one"),
  head: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Of a model with several regression heads: the one whose output is the score, by its name in id2label. Actors that differ only in head, ranges or mapping share the model, and a document goes through it once',
    ),
  ranges: rangesConfig
    .optional()
    .describe(
      'Of a regression: the interval [from, to) of each subcategory, for scores of any size. Default: [0, 5] in equal parts, with scores clamped to it; a head has no default',
    ),
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
        .enum(['first', 'mean', 'weighted', 'max'])
        .default('first')
        .describe(
          'first reads only the first window; mean, weighted (by their tokens) and max combine the logits of all windows, class by class',
        ),
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
