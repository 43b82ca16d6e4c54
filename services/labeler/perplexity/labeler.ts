import { isAbsolute, join } from 'node:path'
import { WinnowError } from '../../runtime/errors.ts'
import { modelHere } from '../golden/model.ts'
import { cutByRanges, versionOf } from '../mapping.ts'
import type { ActorOfLabels, Labeler, LabelInput, LabelResult } from '../types.ts'
import type { Causal, CausalFiles, CausalReading, Likelihood } from './causal.ts'
import type { PerplexityConfig } from './config.ts'
import { describeExported, startExported } from './exported.ts'
import { describeGraphs, graphsOf, startGraphs } from './graphs.ts'

const sizeDefault = 1024
/** Rounding of float32 over a few dozen layers. */
const goldenTolerance = 1e-3

interface Prepared extends CausalFiles {
  readonly start: () => Promise<Causal>
}

async function filesOf(config: PerplexityConfig, baseFolder: string): Promise<Prepared> {
  const graphs = graphsOf(config.model, baseFolder)
  if (graphs !== undefined) {
    const files = await describeGraphs(graphs, config, baseFolder)
    return { ...files, start: () => startGraphs(files, config) }
  }
  if (config.checkpoint !== undefined)
    throw new WinnowError('CONFIGURATION', `checkpoint is given, but ${config.model} has no graphs that take weights`, {
      hint: 'A model.onnx has its own weights: leave checkpoint out.',
    })
  const folder = isAbsolute(config.model) ? config.model : join(baseFolder, config.model)
  const files = await describeExported(folder, config.file)
  return { ...files, start: () => startExported(files, config) }
}

function readingOf(actor: ActorOfLabels, { windows, model }: PerplexityConfig, positions: number): CausalReading {
  const size = windows.size ?? Math.min(sizeDefault, positions)
  const wrong = (what: string, hint: string) =>
    new WinnowError('CONFIGURATION', `Labeler of actor ${actor.name}: ${what}`, { hint })
  if (size > positions)
    throw wrong(`windows.size ${size} is more than the ${positions} positions of ${model}`, `Set at most ${positions}.`)
  if (windows.overlap >= size / 2)
    throw wrong(
      `windows.overlap ${windows.overlap} is not below half of windows.size ${size}`,
      'Set a smaller overlap.',
    )
  return { ...windows, size }
}

/** @throws WinnowError CONFIGURATION, MODEL_UNUSABLE */
async function prepare(actor: ActorOfLabels, config: PerplexityConfig, baseFolder: string) {
  const cut = cutByRanges(actor, config.ranges)
  const files = await filesOf(config, baseFolder)
  const reading = readingOf(actor, config, files.positions)
  const { size, overlap, limit } = reading
  const version = versionOf([
    'perplexity',
    ...[files.digest, size, overlap, limit, actor.subcategories, config.ranges ?? null],
    // Another device rounds differently.
    ...(config.device === 'cpu' ? [] : [config.device]),
  ])
  return { cut, files, reading, version }
}

/** The version of the labeler, by digests of its files, without starting it. @throws WinnowError CONFIGURATION, MODEL_UNUSABLE */
export const perplexityVersion = async (
  actor: ActorOfLabels,
  config: PerplexityConfig,
  baseFolder: string,
): Promise<string> => (await prepare(actor, config, baseFolder)).version

const meanOf = ({ nll, targets }: Likelihood): number => (targets === 0 ? 0 : nll / targets)

/**
 * Labels by the mean negative log-likelihood of a text in nats, over all tokens that have one before them; exp of it is the perplexity. A text
 * without such a token has no label. @throws WinnowError CONFIGURATION, MODEL_UNUSABLE
 */
export async function createPerplexityLabeler(
  actor: ActorOfLabels,
  config: PerplexityConfig,
  baseFolder: string,
): Promise<Labeler> {
  const { cut, files, reading, version } = await prepare(actor, config, baseFolder)
  // Golden outputs are the same whatever windows are configured.
  const plain = { size: Math.min(sizeDefault, files.positions), overlap: 0, limit: 1 }
  const causal = await files.start()
  const model = await modelHere({
    file: files.goldenFile,
    digest: files.digest,
    provider: config.device,
    tolerance: goldenTolerance,
    policy: config.golden,
    outputsOf: async (texts) => {
      const outputs: number[][] = []
      for (const text of texts) outputs.push((await causal.likelihoods([text], plain)).map(meanOf))
      return outputs
    },
  }).catch(async (error: unknown) => {
    await causal.close()
    throw error
  })
  const label = (likelihood: Likelihood): LabelResult =>
    likelihood.targets > 0
      ? cut(meanOf(likelihood))
      : { ok: false, reason: 'missing-score', message: 'The text has no token with another before it.' }
  const likelihoodsOf = (inputs: readonly LabelInput[]) =>
    causal.likelihoods(
      inputs.map(({ text }) => text),
      reading,
    )
  return {
    actor: actor.name,
    version,
    model,
    cut,
    cost: causal.cost,
    label: async (inputs) => (await likelihoodsOf(inputs)).map(label),
    labelRead: async (inputs) => {
      const likelihoods = await likelihoodsOf(inputs)
      return { labels: likelihoods.map(label), read: likelihoods.map(({ read }) => read) }
    },
    close: () => causal.close(),
  }
}
