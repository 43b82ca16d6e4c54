import { z } from 'zod'
import { createHashedLabeler, hashedConfig, hashedVersion } from './hashed/labeler.ts'
import { createLanguageLabeler, languageConfig, languageVersion } from './language.ts'
import { createMetadataLabeler, metadataConfig } from './metadata.ts'
import { createOnnxLabeler, onnxConfig, onnxVersion } from './onnx/labeler.ts'
import { createRulesLabeler, rulesConfig, rulesVersion } from './rules/labeler.ts'
import type { ActorOfLabels, Labeler } from './types.ts'

export type { ActorOfLabels, Labeler, LabelInput, LabelResult } from './types.ts'

/** How an actor's documents are labelled. A new kind needs a schema, a factory, a version, and a line in each of the three lists here. */
export const labelerConfig = z.discriminatedUnion('kind', [
  metadataConfig,
  hashedConfig,
  onnxConfig,
  rulesConfig,
  languageConfig,
])
export type LabelerConfig = z.infer<typeof labelerConfig>
/** The form in a configuration file: whatever has a default may be omitted. */
export type LabelerConfigInput = z.input<typeof labelerConfig>

/**
 * Creates the labeler of an actor. Relative paths in `config` are resolved against `baseFolder`. @throws WinnowError CONFIGURATION for a
 * mapping to a subcategory that the actor does not have; MODEL_UNUSABLE for a model that is missing, damaged, or does not fit its tokenizer or
 * the actor
 */
export async function createLabeler(actor: ActorOfLabels, config: LabelerConfig, baseFolder: string): Promise<Labeler> {
  switch (config.kind) {
    case 'metadata':
      return createMetadataLabeler(actor, config)
    case 'hashed':
      return await createHashedLabeler(actor, config, baseFolder)
    case 'onnx':
      return await createOnnxLabeler(actor, config, baseFolder)
    case 'rules':
      return await createRulesLabeler(actor, config)
    case 'language':
      return await createLanguageLabeler(actor, config)
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
  }
}
