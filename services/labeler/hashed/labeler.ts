import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { clampedScores, subcategoriesOfClasses, versionOf } from '../mapping.ts'
import { LabelingThreads } from '../threads.ts'
import type { ActorOfLabels, Labeler, LabelResult } from '../types.ts'
import { givenClasses, readModel } from './model.ts'
import type { HashedRequest, HashedWorkerData } from './worker.ts'

export const hashedConfig = z.strictObject({
  kind: z.literal('hashed').describe('By a linear model of hashed n-grams'),
  model: z.string().min(1).describe('A folder with model.json and weights.bin, or shipped:quality or shipped:topic'),
  threads: z.number().int().min(1).max(64).default(1).describe('Worker threads'),
})
export type HashedConfig = z.infer<typeof hashedConfig>

const shippedPrefix = 'shipped:'
/** Texts of one message to a thread: large enough that messages cost nothing, small enough that threads share a batch. */
const textsPerRequest = 256

/** Part of the version of a model that trusts metadata: an earlier release looked into `meta` alone where a row had one. */
const fieldsBesideMeta = 'fields of the row, then of meta'

/** The folder that a `model` setting names. */
export function modelFolder(model: string, baseFolder: string): string {
  if (model.startsWith(shippedPrefix))
    return fileURLToPath(new URL(`../models/${model.slice(shippedPrefix.length)}`, import.meta.url))
  return isAbsolute(model) ? model : join(baseFolder, model)
}

/** A model that fits its actor, and the version of its labels. @throws WinnowError MODEL_UNUSABLE */
function prepare(actor: ActorOfLabels, config: HashedConfig, baseFolder: string) {
  const folder = modelFolder(config.model, baseFolder)
  const { file, weights, digest } = readModel(folder)
  const subcategories = subcategoriesOfClasses(actor, file.classes, join(folder, 'model.json'))
  const trusting = file.auxiliary.some(({ trust }) => trust !== undefined)
  const version = versionOf([
    'hashed',
    digest,
    actor.subcategories,
    ...(file.kind === 'regression' ? [clampedScores] : []),
    ...(trusting ? [fieldsBesideMeta] : []),
  ])
  return { file, weights, subcategories, trusting, version }
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
  const { file, weights, subcategories, trusting, version } = prepare(actor, config, baseFolder)
  const data: HashedWorkerData = { file, weights, subcategories, count: actor.subcategories.length }
  const pool = await LabelingThreads.start<HashedRequest, LabelResult[]>(
    new URL('./worker.ts', import.meta.url),
    data,
    config.threads,
  )
  const { characters } = file.features
  return {
    actor: actor.name,
    version,
    label: async (inputs) => {
      const requests: Promise<LabelResult[]>[] = []
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
      return (await Promise.all(requests)).flat()
    },
    close: () => pool.close(),
  }
}
