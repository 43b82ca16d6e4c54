import { z } from 'zod'
import { goldenConfig } from '../golden/model.ts'
import { rangesConfig } from '../ranges.ts'

export const perplexityConfig = z.strictObject({
  kind: z
    .literal('perplexity')
    .describe('By a causal language model: the mean negative log-likelihood of a text, in nats per token'),
  model: z
    .string()
    .min(1)
    .default('shipped:llama-64x2')
    .describe(
      'A folder with model.onnx, tokenizer.json and config.json of a causal model; or one of graphs exported for runs (docs/influence.md); or shipped:llama-64x2, a small one trained on web text, books and code',
    ),
  file: z
    .string()
    .regex(/^[^/\\]+\.onnx$/, 'must be the name of an .onnx file in the folder')
    .default('model.onnx')
    .describe("The graph's file in the folder of a causal model"),
  checkpoint: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Of graphs for runs: the safetensors file with the weights, such as a checkpoint of a run. Default: weights.safetensors in their folder',
    ),
  ranges: rangesConfig
    .optional()
    .describe('The interval [from, to) of each subcategory; not needed by an actor that has one'),
  golden: goldenConfig,
  windows: z
    .strictObject({
      size: z.int().min(2).optional().describe('Tokens of a window; default: the maximum of the model, at most 1024'),
      overlap: z
        .int()
        .min(0)
        .default(0)
        .describe('Further tokens that a window repeats from the one before, as context; they count once'),
      limit: z.int().min(1).default(16).describe('Further windows of a long document are not read'),
    })
    .prefault({})
    .describe('How long documents are read: every token counts once, whatever the windows'),
  batchTokens: z
    .int()
    .min(1)
    .default(2048)
    .describe('Maximum padded tokens per batch; bounds memory, which the model needs for each token of its vocabulary'),
  device: z
    .enum(['cpu', 'cuda'])
    .default('cpu')
    .describe('cuda needs an NVIDIA device and the CUDA libraries of onnxruntime-node (docs/labelers.md)'),
  threads: z.int().min(1).max(64).default(1).describe('Threads of the session'),
})
export type PerplexityConfig = z.infer<typeof perplexityConfig>
