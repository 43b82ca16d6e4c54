import { z } from 'zod'
import type { ModelCost } from '../../topologies/ledger/pieces.ts'
import { constantConfig, constantVersion, createConstantLabeler } from './constant.ts'
import { createDsirLabeler, dsirConfig, dsirVersion } from './dsir/labeler.ts'
import { createEduLabeler, eduClasses, eduConfig, eduVersion } from './edu.ts'
import { createHashedLabeler, hashedConfig, hashedVersion } from './hashed/labeler.ts'
import { createLanguageLabeler, languageConfig, languageVersion } from './language.ts'
import { createMetadataLabeler, metadataConfig } from './metadata.ts'
import { onnxConfig } from './onnx/config.ts'
import { Encoders } from './onnx/encoder.ts'
import { createOnnxLabeler, onnxVersion } from './onnx/labeler.ts'
import { perplexityConfig } from './perplexity/config.ts'
import { createPerplexityLabeler, perplexityVersion } from './perplexity/labeler.ts'
import { createRulesLabeler, rulesConfig, rulesVersion } from './rules/labeler.ts'
import type { ActorOfLabels, Labeler } from './types.ts'

export { Encoders } from './onnx/encoder.ts'
export type { ActorOfLabels, Labeler, LabelInput, LabelResult } from './types.ts'

/** How an actor's documents are labelled. A new kind needs a schema, a factory, a version, and a line in each of the three lists here. */
export const labelerConfig = z.discriminatedUnion('kind', [
  metadataConfig,
  hashedConfig,
  onnxConfig,
  rulesConfig,
  languageConfig,
  eduConfig,
  dsirConfig,
  perplexityConfig,
  constantConfig,
])
export type LabelerConfig = z.infer<typeof labelerConfig>
/** The form in a configuration file: whatever has a default may be omitted. */
export type LabelerConfigInput = z.input<typeof labelerConfig>

/** The subcategories of an actor that lists none, where its labeler says what they are. */
export function subcategoriesBy(config: LabelerConfig): readonly string[] | undefined {
  if (config.kind === 'edu') return eduClasses
  if (config.kind === 'constant') return ['all']
  const byRanges = config.kind === 'dsir' || config.kind === 'perplexity'
  return byRanges ? Object.keys(config.ranges ?? { all: {} }) : undefined
}

/**
 * Creates the labeler of an actor; labelers of the same `encoders` share models. Relative paths in `config` are resolved against `baseFolder`. @throws WinnowError CONFIGURATION for a
 * mapping to a subcategory that the actor does not have; MODEL_UNUSABLE for a model that is missing, damaged, or does not fit its tokenizer or
 * the actor
 */
export async function createLabeler(
  actor: ActorOfLabels,
  config: LabelerConfig,
  baseFolder: string,
  encoders: Encoders = new Encoders(),
): Promise<Labeler> {
  const labeler = await createOfKind(actor, config, baseFolder, encoders)
  return { ...labeler, cost: labeler.cost ?? withoutParameters(config.kind) }
}

/** Labelers that compute by rules take time, and no FLOPs worth counting. */
const withoutParameters = (model: string): ModelCost => ({
  model,
  device: 'cpu',
  parameters: 0,
  parametersAll: 0,
  factor: 0,
})

async function createOfKind(
  actor: ActorOfLabels,
  config: LabelerConfig,
  baseFolder: string,
  encoders: Encoders,
): Promise<Labeler> {
  switch (config.kind) {
    case 'metadata':
      return createMetadataLabeler(actor, config)
    case 'hashed':
      return await createHashedLabeler(actor, config, baseFolder)
    case 'onnx':
      return await createOnnxLabeler(actor, config, baseFolder, encoders)
    case 'rules':
      return await createRulesLabeler(actor, config)
    case 'language':
      return await createLanguageLabeler(actor, config)
    case 'edu':
      return await createEduLabeler(actor, config, baseFolder, encoders)
    case 'dsir':
      return await createDsirLabeler(actor, config, baseFolder)
    case 'perplexity':
      return await createPerplexityLabeler(actor, config, baseFolder)
    case 'constant':
      return createConstantLabeler(actor, config)
  }
}

/**
 * The version that the labeler of `createLabeler` would have, by digests of its files: no thread, session or dictionary is loaded for it.
 * @throws WinnowError CONFIGURATION, MODEL_UNUSABLE for what the files show; the rest is found by createLabeler
 */
export async function labelerVersion(actor: ActorOfLabels, config: LabelerConfig, baseFolder: string): Promise<string> {
  switch (config.kind) {
    case 'metadata':
      return createMetadataLabeler(actor, config).version
    case 'hashed':
      return hashedVersion(actor, config, baseFolder)
    case 'onnx':
      return await onnxVersion(actor, config, baseFolder)
    case 'rules':
      return rulesVersion(actor, config)
    case 'language':
      return languageVersion(actor, config)
    case 'edu':
      return await eduVersion(actor, config, baseFolder)
    case 'dsir':
      return dsirVersion(actor, config, baseFolder)
    case 'perplexity':
      return await perplexityVersion(actor, config, baseFolder)
    case 'constant':
      return constantVersion(actor, config)
  }
}
