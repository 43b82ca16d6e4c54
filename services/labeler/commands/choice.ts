import { z } from 'zod'
import { defaultActors } from '../../../topologies/selection/default-actors.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { modelFolder } from '../hashed/labeler.ts'
import { readModel } from '../hashed/model.ts'
import { createLabeler, type Labeler, type LabelerConfigInput, labelerConfig } from '../labeler.ts'
import type { ActorOfLabels } from '../types.ts'

/** Writes text, waiting while the receiver is full. */
export type Write = (text: string) => Promise<void>

/** The labeler that a command runs. */
export interface LabelerChoice {
  actor: ActorOfLabels
  labeler: LabelerConfigInput
  /** Relative paths in `labeler` are resolved against this folder. */
  baseFolder: string
}

/** Documents in work at a time, and their characters: they bound the memory of the commands. */
export const batchDocuments = 512
export const batchCharacters = 16_000_000

/** @throws WinnowError CONFIGURATION, MODEL_UNUSABLE */
export function openLabeler({ actor, labeler, baseFolder }: LabelerChoice): Promise<Labeler> {
  const parsed = labelerConfig.safeParse(labeler)
  if (parsed.success) return createLabeler(actor, parsed.data, baseFolder)
  throw new WinnowError('CONFIGURATION', `Labeler of actor ${actor.name}: ${z.prettifyError(parsed.error)}`, {
    hint: 'Kinds are metadata, hashed, onnx, rules, language, edu, dsir, perplexity and constant; see docs/labelers.md.',
  })
}

/** The labeler in a folder written by `winnow labeler train`: its own classes are the subcategories. @throws WinnowError MODEL_UNUSABLE */
export function choiceOfModel(model: string, baseFolder: string): LabelerChoice {
  const { file } = readModel(modelFolder(model, baseFolder))
  const subcategories = file.kind === 'regression' ? [...defaultActors.quality!] : file.classes
  return { actor: { name: file.task, subcategories }, labeler: { kind: 'hashed', model }, baseFolder }
}
