import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { forward } from '../../../topologies/ledger/pieces.ts'
import { digestOfFiles } from '../../runtime/file-digest.ts'
import { checkTokenizer, listModelFiles, readConfig, unusable } from '../onnx/folder.ts'
import { countParameters } from '../onnx/parameters.ts'
import { LabelingThreads } from '../threads.ts'
import { type Causal, type ExportedModel, startOf } from './causal.ts'
import type { PerplexityConfig } from './config.ts'
import type { CausalAnswer, CausalRequest, CausalWorkerData } from './worker.ts'

/** What is read of a causal model's config.json; the longest sequence has another name in GPT-2. */
const configFile = z.looseObject({
  vocab_size: z.int().min(1),
  max_position_embeddings: z.int().min(1).optional(),
  n_positions: z.int().min(1).optional(),
})

/** @throws WinnowError MODEL_UNUSABLE naming the file */
export async function describeExported(folder: string, file: string): Promise<ExportedModel> {
  const path = (name: string) => join(folder, name)
  const config = readConfig(path('config.json'), configFile)
  const weights = listModelFiles(folder, file)
  const tokenizer = path('tokenizer.json')
  if (!existsSync(tokenizer)) throw unusable(tokenizer, 'cannot be read: there is no such file')
  return {
    folder,
    file,
    vocabulary: config.vocab_size,
    positions: config.max_position_embeddings ?? config.n_positions ?? Number.POSITIVE_INFINITY,
    digest: await digestOfFiles([...weights, tokenizer, path('config.json')]),
    goldenFile: path(`${basename(file, '.onnx')}.golden.json`),
  }
}

/** Documents per request: the next are tokenized while the session runs. */
const textsPerRequest = 32

/** Starts the model in a thread. @throws WinnowError MODEL_UNUSABLE */
export async function startExported(
  model: ExportedModel,
  { batchTokens, device, threads }: PerplexityConfig,
): Promise<Causal> {
  checkTokenizer(model)
  const data: CausalWorkerData = { model, batchTokens, device, threads }
  const pool = await LabelingThreads.start<CausalRequest, CausalAnswer>(
    new URL('./worker.ts', import.meta.url),
    data,
    1,
  )
  const parameters = countParameters(join(model.folder, model.file))
  return {
    cost: { model: basename(model.folder), device, ...parameters, factor: forward },
    likelihoods: async (texts, reading) => {
      const answers: Promise<CausalAnswer>[] = []
      for (let from = 0; from < texts.length; from += textsPerRequest)
        answers.push(
          pool.ask({ reading, texts: texts.slice(from, from + textsPerRequest).map((text) => startOf(text, reading)) }),
        )
      return (await Promise.all(answers)).flat()
    },
    close: () => pool.close(),
  }
}
