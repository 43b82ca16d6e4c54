import { join } from 'node:path'
import { WinnowError } from '../../runtime/errors.ts'
import {
  type CutOfScores,
  clampedScores,
  cutByRanges,
  labelOfLogits,
  labelOfScore,
  subcategoriesOfClasses,
  versionOf,
} from '../mapping.ts'
import type { ActorOfLabels, Labeler, LabelInput, LabelResult } from '../types.ts'
import type { OnnxConfig } from './config.ts'
import { Encoders, encoderOf } from './encoder.ts'
import type { EncoderFolder } from './folder.ts'

const sizeDefault = 512

function windowSize(actor: ActorOfLabels, config: OnnxConfig, encoder: EncoderFolder): number {
  const size = config.windows.size ?? Math.min(sizeDefault, encoder.positions)
  const wrong = (what: string, hint: string) =>
    new WinnowError('CONFIGURATION', `Labeler of actor ${actor.name}: ${what}`, { hint })
  if (size > encoder.positions)
    throw wrong(
      `windows.size ${size} is more than the ${encoder.positions} positions of ${encoder.folder}`,
      `Set at most ${encoder.positions}.`,
    )
  if (config.windows.overlap >= size / 2)
    throw wrong(
      `windows.overlap ${config.windows.overlap} is not below half of windows.size ${size}`,
      'Set a smaller overlap.',
    )
  return size
}

/** How logits become a label, and what of it decides the version. */
interface Decision {
  readonly labelOf: (logits: readonly number[]) => LabelResult
  readonly cut?: CutOfScores | undefined
  readonly version: readonly unknown[]
}

/** @throws WinnowError CONFIGURATION for a head or ranges that do not fit the model or the actor; MODEL_UNUSABLE for its classes */
function decide(actor: ActorOfLabels, config: OnnxConfig, encoder: EncoderFolder): Decision {
  const { head, ranges } = config
  const { kind, labels, folder } = encoder
  const wrong = (what: string, hint: string) =>
    new WinnowError('CONFIGURATION', `Labeler of actor ${actor.name}: ${what}`, { hint })
  if (head !== undefined) {
    const index = labels.indexOf(head)
    if (kind === 'classification')
      throw wrong(`head ${head} of ${folder}, which is a classification`, 'Leave head out, or name a regression model.')
    if (index < 0) throw wrong(`${folder} has no head ${head}`, `Its heads are ${labels.join(', ')}.`)
    const cut = cutByRanges(actor, ranges)
    return { cut, labelOf: (logits) => cut(logits[index]!), version: ['head', index, ranges ?? null] }
  }
  if (kind === 'heads')
    throw wrong(`${folder} has several regression heads, and head is missing`, `Name one: ${labels.join(', ')}.`)
  if (kind === 'regression') {
    const cut = ranges && cutByRanges(actor, ranges)
    return cut === undefined
      ? { labelOf: ([score]) => labelOfScore(score!, actor.subcategories.length), version: [clampedScores] }
      : { cut, labelOf: ([score]) => cut(score!), version: ['ranges', ranges] }
  }
  if (ranges !== undefined) throw wrong(`ranges, but ${folder} is a classification`, 'Ranges are for regressions.')
  const names = labels.map((label) => config.mapping[label] ?? label)
  const subcategories = subcategoriesOfClasses(actor, names, join(folder, 'config.json'))
  return { labelOf: (logits) => labelOfLogits(logits, subcategories), version: [] }
}

/** An encoder that fits its actor, how it reads texts, and the version of its labels. @throws WinnowError MODEL_UNUSABLE, CONFIGURATION */
async function prepare(actor: ActorOfLabels, config: OnnxConfig, baseFolder: string) {
  const encoder = await encoderOf(config, baseFolder)
  const size = windowSize(actor, config, encoder)
  const decision = decide(actor, config, encoder)
  const { overlap, combine } = config.windows
  const limit = combine === 'first' ? 1 : config.windows.limit
  const version = versionOf([
    'onnx',
    encoder.digest,
    size,
    overlap,
    combine,
    limit,
    encoder.labels.map((label) => config.mapping[label] ?? label),
    actor.subcategories,
    ...decision.version,
    // Another device rounds differently.
    ...(config.device === 'cpu' ? [] : [config.device]),
  ])
  return { encoder, reading: { size, limit }, decision, version }
}

/** The version of the labeler, by digests of its files, without starting it. @throws WinnowError MODEL_UNUSABLE, CONFIGURATION */
export async function onnxVersion(actor: ActorOfLabels, config: OnnxConfig, baseFolder: string): Promise<string> {
  return (await prepare(actor, config, baseFolder)).version
}

/**
 * Labels by a Hugging Face encoder exported to ONNX, in worker threads that labelers of the same `encoders` share.
 * @throws WinnowError MODEL_UNUSABLE, CONFIGURATION
 */
export async function createOnnxLabeler(
  actor: ActorOfLabels,
  config: OnnxConfig,
  baseFolder: string,
  encoders = new Encoders(),
): Promise<Labeler> {
  const { encoder, reading, decision, version } = await prepare(actor, config, baseFolder)
  const { model, cost, outputsOf, outputsRead, close } = await encoders.open(encoder, reading, config)
  const textsOf = (inputs: readonly LabelInput[]) => inputs.map(({ text }) => text)
  return {
    actor: actor.name,
    version,
    model,
    ...(decision.cut && { cut: decision.cut }),
    cost,
    label: async (inputs) => (await outputsOf(textsOf(inputs))).map(decision.labelOf),
    labelRead: async (inputs) => {
      const { outputs, read } = await outputsRead(textsOf(inputs))
      return { labels: outputs.map(decision.labelOf), read }
    },
    close,
  }
}
