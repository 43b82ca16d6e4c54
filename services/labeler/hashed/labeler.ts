import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { forward, type ModelCost } from '../../../topologies/ledger/pieces.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { goldenConfig, modelHere } from '../golden/model.ts'
import {
  clampedScores,
  cutByRanges,
  labelOfLogits,
  labelOfScore,
  subcategoriesOfClasses,
  versionOf,
} from '../mapping.ts'
import { rangesConfig } from '../ranges.ts'
import { LabelingThreads } from '../threads.ts'
import type { ActorOfLabels, Labeler, LabelResult } from '../types.ts'
import { givenClasses, type ModelFile, readModel } from './model.ts'
import type { HashedAnswer, HashedRequest, HashedWorkerData } from './worker.ts'

export const hashedConfig = z.strictObject({
  kind: z.literal('hashed').describe('By a linear model of hashed n-grams'),
  model: z.string().min(1).describe('A folder with model.json and weights.bin, or shipped:quality or shipped:topic'),
  ranges: rangesConfig
    .optional()
    .describe(
      'Of a model of scores: the interval [from, to) of each subcategory, for scores of any size. Default: [0, 5] in equal parts, with scores clamped to it',
    ),
  golden: goldenConfig,
  threads: z.number().int().min(1).max(64).default(1).describe('Worker threads'),
})
export type HashedConfig = z.infer<typeof hashedConfig>

const shippedPrefix = 'shipped:'
/** Texts per message to a thread: enough to make messages cheap, few enough for threads to share a batch. */
const textsPerRequest = 256

/** Everything is float64 in a fixed order: only another Node, with another Math.exp or Math.log, may differ in the last bits. */
const goldenTolerance = 1e-9

/** Part of the version of a model that trusts metadata: an earlier release read only `meta` if a row had one. */
const fieldsBesideMeta = 'fields of the row, then of meta'

/** The folder that a `model` setting refers to. */
export function modelFolder(model: string, baseFolder: string): string {
  if (model.startsWith(shippedPrefix))
    return fileURLToPath(new URL(`../models/${model.slice(shippedPrefix.length)}`, import.meta.url))
  return isAbsolute(model) ? model : join(baseFolder, model)
}

/** A model that fits its actor, how its outputs become labels, and their version. @throws WinnowError MODEL_UNUSABLE, CONFIGURATION */
function prepare(actor: ActorOfLabels, config: HashedConfig, baseFolder: string) {
  const folder = modelFolder(config.model, baseFolder)
  const { file, weights, digest } = readModel(folder)
  const { ranges } = config
  if (ranges !== undefined && file.kind !== 'regression')
    throw new WinnowError('CONFIGURATION', `Labeler of actor ${actor.name}: ranges, but ${folder} gives classes`, {
      hint: 'Ranges are for models of scores (winnow labeler train --task regression).',
    })
  const subcategories = subcategoriesOfClasses(actor, file.classes, join(folder, 'model.json'))
  const cut = ranges && cutByRanges(actor, ranges)
  const labelOf = (outputs: readonly number[]): LabelResult => {
    if (file.kind !== 'regression') return labelOfLogits(outputs, subcategories)
    return cut === undefined ? labelOfScore(outputs[0]!, actor.subcategories.length) : cut(outputs[0]!)
  }
  const trusting = file.auxiliary.some(({ trust }) => trust !== undefined)
  const version = versionOf([
    'hashed',
    digest,
    actor.subcategories,
    ...(file.kind === 'regression' && ranges === undefined ? [clampedScores] : []),
    ...(ranges === undefined ? [] : [ranges]),
    ...(trusting ? [fieldsBesideMeta] : []),
  ])
  return { folder, file, weights, digest, cut, labelOf, trusting, version }
}

/** n-grams of a word's characters, for each of their lengths, in text of ordinary words; the ledger counts so. */
const characterGramsPerWord = 5

/** Of a linear model only the rows of a token's n-grams multiply, each by all outputs. */
function costOf(name: string, { features, auxiliary, classes, rows }: ModelFile): ModelCost {
  const columns = auxiliary.reduce((sum, group) => sum + group.classes.length, Math.max(1, classes.length))
  const grams = features.wordGrams + features.characterGrams.length * characterGramsPerWord
  return { model: name, device: 'cpu', parameters: grams * columns, parametersAll: rows * columns, factor: forward }
}

/** The version of the labeler, without starting it. @throws WinnowError MODEL_UNUSABLE */
export const hashedVersion = (actor: ActorOfLabels, config: HashedConfig, baseFolder: string): string =>
  prepare(actor, config, baseFolder).version

/** Labels by a linear model of hashed n-grams, in worker threads. @throws WinnowError MODEL_UNUSABLE */
export async function createHashedLabeler(
  actor: ActorOfLabels,
  config: HashedConfig,
  baseFolder: string,
): Promise<Labeler> {
  const { folder, file, weights, digest, cut, labelOf, trusting, version } = prepare(actor, config, baseFolder)
  const data: HashedWorkerData = { file, weights }
  const pool = await LabelingThreads.start<HashedRequest, HashedAnswer>(
    new URL('./worker.ts', import.meta.url),
    data,
    config.threads,
  )
  const { characters } = file.features
  const model = await modelHere({
    file: join(folder, 'model.golden.json'),
    digest,
    provider: 'javascript',
    tolerance: goldenTolerance,
    policy: config.golden,
    outputsOf: (texts) => pool.ask({ texts }),
  }).catch(async (error: unknown) => {
    await pool.close()
    throw error
  })
  return {
    actor: actor.name,
    version,
    model,
    cost: costOf(config.model, file),
    ...(cut && { cut }),
    label: async (inputs) => {
      const requests: Promise<HashedAnswer>[] = []
      for (let from = 0; from < inputs.length; from += textsPerRequest) {
        const slice = inputs.slice(from, from + textsPerRequest)
        // Only what the model reads is copied to the thread: a document may have megabytes.
        requests.push(
          pool.ask({
            texts: slice.map(({ text }) => text.slice(0, characters)),
            lengths: slice.map(({ text }) => text.length),
            given: slice.map(({ meta }) => (trusting ? givenClasses(file.auxiliary, meta) : [])),
          }),
        )
      }
      return (await Promise.all(requests)).flat().map(labelOf)
    },
    close: () => pool.close(),
  }
}
