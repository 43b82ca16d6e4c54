import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { forward } from '../../../topologies/ledger/pieces.ts'
import { modelCost } from '../../model/cost.ts'
import { readDescription } from '../../model/description.ts'
import { openModel } from '../../model/model.ts'
import { documentWindows, targetsOf } from '../../model/sequences.ts'
import { graphsFolder } from '../../model/shipped.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { digestOfFiles } from '../../runtime/file-digest.ts'
import { type Causal, type CausalFiles, startOf } from './causal.ts'
import type { PerplexityConfig } from './config.ts'

/** The graphs of a run's model, and a checkpoint with its weights. */
export interface GraphModel extends CausalFiles {
  readonly folder: string
  readonly checkpoint: { readonly path: string; readonly digest: string }
}

const weightsFile = 'weights.safetensors'

/** The folder of graphs that `model` refers to; undefined if it is no such folder. */
export function graphsOf(model: string, baseFolder: string): string | undefined {
  const folder = model.startsWith('shipped:')
    ? graphsFolder(model)
    : isAbsolute(model)
      ? model
      : join(baseFolder, model)
  return existsSync(join(folder, 'model.json')) ? folder : undefined
}

/** @throws WinnowError MODEL_UNUSABLE; CONFIGURATION where there are no weights */
export async function describeGraphs(folder: string, { checkpoint }: PerplexityConfig, baseFolder: string) {
  const { config } = await readDescription(folder)
  const path =
    checkpoint === undefined
      ? join(folder, weightsFile)
      : isAbsolute(checkpoint)
        ? checkpoint
        : join(baseFolder, checkpoint)
  if (!existsSync(path))
    throw new WinnowError('MODEL_UNUSABLE', `${path}: there are no weights`, {
      hint: 'Name a safetensors file with checkpoint: one that a run has written, or that of the exported model.',
    })
  const digest = await digestOfFiles([path])
  const files = ['model.json', 'tokenizer.json'].map((name) => join(folder, name))
  const model: GraphModel = {
    folder,
    checkpoint: { path, digest },
    positions: config.max_position_embeddings ?? Number.POSITIVE_INFINITY,
    // model.json has the digests of the graphs.
    digest: createHash('sha256')
      .update(`${await digestOfFiles(files)} ${digest}`)
      .digest('hex'),
    goldenFile: path.replace(/\.safetensors$/, '.golden.json'),
  }
  return model
}

/** Opens the graphs. A document is read as in training: after the end of the one before, up to its own. @throws WinnowError MODEL_UNUSABLE */
export async function startGraphs(
  { folder, checkpoint }: GraphModel,
  { device, threads }: PerplexityConfig,
): Promise<Causal> {
  const model = await openModel({ graphs: folder, device, threads })
  const worker = model.startWorker()
  return {
    cost: modelCost(model, forward),
    likelihoods: async (texts, reading) => {
      const { size, limit, overlap } = reading
      const tokenized = await model.tokenizer.encodeAll(texts.map((text) => startOf(text, reading)))
      const documents = tokenized.map((tokens) =>
        documentWindows(tokens, size - 1, limit, overlap, model.tokenizer.endOfText),
      )
      // Each window is a task, and so runs by itself: its loss does not depend on others.
      const { losses } = await worker.call('probe', { checkpoint, tasks: documents.flat().map((window) => [window]) })
      let next = 0
      return documents.map((windows) => {
        let [nll, targets, read] = [0, 0, 0]
        for (const window of windows) {
          nll += losses[next++]! * targetsOf(window)
          targets += targetsOf(window)
          read += window.ids.length
        }
        return { nll, targets, read }
      })
    },
    close: () => model.close(),
  }
}
