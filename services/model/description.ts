import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { WinnowError } from '../runtime/errors.ts'

const size = z.int().positive()
const graph = z.object({ file: z.string(), sha256: z.string() })

/** model.json, written by services/influence/export/export.py next to the graphs. */
const ModelDescription = z.object({
  name: z.string(),
  config: z.looseObject({ vocab_size: size, max_position_embeddings: size.optional() }),
  /** In the model's own order; named as in a safetensors checkpoint. */
  parameters: z.array(z.object({ name: z.string(), shape: z.array(size) })),
  /** The linear layers whose gradients are projected, in the order of phi: kOut * kIn values each. */
  projection: z.object({
    kIn: size,
    kOut: size,
    /** `transposed`: the weight is stored as [in, out]. */
    modules: z.array(z.object({ name: z.string(), inSize: size, outSize: size, transposed: z.boolean().optional() })),
  }),
  /** Id of the token that ends a document. */
  endOfText: z.int().min(0).default(0),
  /** Sequences must be padded to at least this many tokens. */
  lengthMin: size,
  graphs: z.object({ loss: graph, influence: graph, train: graph }),
})
export type ModelDescription = z.infer<typeof ModelDescription>

export type GraphName = keyof ModelDescription['graphs']

/**
 * Reads a folder of graphs and verifies that each graph is the one that model.json describes.
 * @throws WinnowError MODEL_UNUSABLE
 */
export async function readDescription(folder: string): Promise<ModelDescription> {
  const parsed = ModelDescription.safeParse(parse(folder, await content(folder, 'model.json')))
  if (!parsed.success) throw unusable(folder, `model.json: ${z.prettifyError(parsed.error)}`)
  for (const { file, sha256 } of Object.values(parsed.data.graphs)) {
    const digest = createHash('sha256')
      .update(await content(folder, file))
      .digest('hex')
    if (digest !== sha256) throw unusable(folder, `${file} is not the graph that model.json describes`)
  }
  return parsed.data
}

function parse(folder: string, text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'))
  } catch (cause) {
    throw unusable(folder, 'model.json is not JSON', cause)
  }
}

async function content(folder: string, file: string): Promise<Buffer> {
  return readFile(join(folder, file)).catch((cause: unknown) => {
    throw unusable(folder, `${file} cannot be read`, cause)
  })
}

function unusable(folder: string, reason: string, cause?: unknown): WinnowError {
  return new WinnowError('MODEL_UNUSABLE', `The model in ${folder} cannot be used: ${reason}`, {
    hint: 'Export it again with services/influence/export/export.py.',
    cause,
  })
}
