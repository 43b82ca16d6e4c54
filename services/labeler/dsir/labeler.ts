import { isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { forward, type ModelCost } from '../../../topologies/ledger/pieces.ts'
import { cutByRanges, versionOf } from '../mapping.ts'
import { rangesConfig } from '../ranges.ts'
import { LabelingThreads } from '../threads.ts'
import type { ActorOfLabels, Labeler } from '../types.ts'
import { logRatios, readDsir } from './model.ts'
import { bucketCount } from './ngrams.ts'
import type { DsirAnswer, DsirRequest, DsirWorkerData } from './worker.ts'

export const dsirConfig = z.strictObject({
  kind: z
    .literal('dsir')
    .describe('By DSIR: how much likelier the n-grams of a text are in a target than in the corpus, as a log weight'),
  model: z.string().min(1).describe('A folder written by winnow labeler train --task dsir'),
  ranges: rangesConfig
    .optional()
    .describe('The interval [from, to) of each subcategory; not needed by an actor that has one'),
  threads: z.number().int().min(1).max(64).default(1).describe('Worker threads'),
})
export type DsirConfig = z.infer<typeof dsirConfig>

/** A token has a unigram and a bigram, each with a weight of one of the buckets. */
const cost: ModelCost = { model: 'dsir', device: 'cpu', parameters: 2, parametersAll: bucketCount, factor: forward }
/** Texts per message to a thread. */
const textsPerRequest = 128

function prepare(actor: ActorOfLabels, config: DsirConfig, baseFolder: string) {
  const folder = isAbsolute(config.model) ? config.model : join(baseFolder, config.model)
  const { file, digest } = readDsir(folder)
  const cut = cutByRanges(actor, config.ranges)
  return { file, cut, version: versionOf(['dsir', digest, actor.subcategories, config.ranges ?? null]) }
}

/** The version of the labeler, without starting it. @throws WinnowError CONFIGURATION, MODEL_UNUSABLE */
export const dsirVersion = (actor: ActorOfLabels, config: DsirConfig, baseFolder: string): string =>
  prepare(actor, config, baseFolder).version

/**
 * Labels by the log importance weight of DSIR (Xie et al. 2023): the sum over a text's hashed uni- and bigrams of ln p_target - ln p_corpus.
 * It is not divided by the length, as in the authors' package. @throws WinnowError CONFIGURATION, MODEL_UNUSABLE
 */
export async function createDsirLabeler(
  actor: ActorOfLabels,
  config: DsirConfig,
  baseFolder: string,
): Promise<Labeler> {
  const { file, cut, version } = prepare(actor, config, baseFolder)
  const data: DsirWorkerData = logRatios(file)
  const pool = await LabelingThreads.start<DsirRequest, DsirAnswer>(
    new URL('./worker.ts', import.meta.url),
    data,
    config.threads,
  )
  return {
    actor: actor.name,
    version,
    cut,
    cost,
    label: async (inputs) => {
      const answers: Promise<DsirAnswer>[] = []
      for (let from = 0; from < inputs.length; from += textsPerRequest)
        answers.push(pool.ask(inputs.slice(from, from + textsPerRequest).map(({ text }) => text)))
      return (await Promise.all(answers)).flat().map(cut)
    },
    close: () => pool.close(),
  }
}
