import { z } from 'zod'
import { textOfJson } from '../../schemas/index.ts'
import { fieldAt } from '../../topologies/fields.ts'
import { WinnowError } from '../runtime/errors.ts'
import { createHashedLabeler, hashedConfig, hashedVersion } from './hashed/labeler.ts'
import { labelOfScore, versionOf } from './mapping.ts'
import { numberOf } from './metadata.ts'
import { onnxConfig } from './onnx/config.ts'
import type { Encoders } from './onnx/encoder.ts'
import { createOnnxLabeler, onnxVersion } from './onnx/labeler.ts'
import type { ActorOfLabels, Labeler, LabelInput, LabelResult } from './types.ts'

/** FineWeb-Edu's int_score goes from 0 to 5. */
export const eduClasses: readonly string[] = ['0', '1', '2', '3', '4', '5']

const fieldConfig = z.strictObject({
  kind: z.literal('metadata').describe('A number in a field of the row, or a string of one'),
  path: z.string().min(1).default('score').describe('Where it is, as for the kind metadata'),
})

export const eduConfig = z.strictObject({
  kind: z
    .literal('edu')
    .describe('By a score from 0 to 5, rounded as FineWeb-Edu does (half to even): six classes; only above 2.5 is 3'),
  by: z
    .discriminatedUnion('kind', [
      hashedConfig.omit({ ranges: true }),
      onnxConfig.omit({ head: true, ranges: true, mapping: true }),
      fieldConfig,
    ])
    .prefault({ kind: 'hashed', model: 'shipped:quality' })
    .describe('Where the score is from: a regression, hashed or onnx, or a field. Default: the shipped quality model'),
})
export type EduConfig = z.infer<typeof eduConfig>

/** Rounds as Python does: half to even. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x)
  if (x - below !== 0.5) return Math.round(x)
  return below % 2 === 0 ? below : below + 1
}

const scoreOnly = ({ name }: ActorOfLabels): ActorOfLabels => ({
  name,
  subcategories: ['a score: kind edu needs a regression'],
})

/** The label of a score that is in [0, 5] already. */
const rounded = (result: LabelResult): LabelResult =>
  result.ok ? { ...result, subcategory: roundHalfEven(result.score) } : result

const cut = (score: number): LabelResult => rounded(labelOfScore(score, 1))

function scoreOfField({ meta }: LabelInput, path: string): LabelResult {
  const value = fieldAt(meta, path)
  const number = numberOf(textOfJson(value))
  if (number !== undefined) return labelOfScore(number, 1)
  const shown = value === undefined ? 'missing' : JSON.stringify(value).slice(0, 200)
  return { ok: false, reason: 'missing-score', message: `${path} is ${shown}, not a number.` }
}

function check({ name, subcategories }: ActorOfLabels): void {
  if (subcategories.length === eduClasses.length) return
  throw new WinnowError(
    'CONFIGURATION',
    `Labeler of actor ${name}: kind edu has ${eduClasses.length} classes, and the actor ${subcategories.length} subcategories`,
    { hint: `Leave subcategories out: they are then ${eduClasses.join(', ')}.` },
  )
}

const versionBy = (actor: ActorOfLabels, by: string): string => versionOf(['edu', by, actor.subcategories])

/** The version of the labeler, without starting it. @throws WinnowError CONFIGURATION, MODEL_UNUSABLE */
export async function eduVersion(actor: ActorOfLabels, { by }: EduConfig, baseFolder: string): Promise<string> {
  check(actor)
  if (by.kind === 'metadata') return versionBy(actor, by.path)
  const whole = scoreOnly(actor)
  const version =
    by.kind === 'hashed' ? hashedVersion(whole, by, baseFolder) : await onnxVersion(whole, onnxOf(by), baseFolder)
  return versionBy(actor, version)
}

const onnxOf = (by: Extract<EduConfig['by'], { kind: 'onnx' }>) => ({ ...by, mapping: {} })

/**
 * FineWeb-Edu's classes: the score, clamped to [0, 5], rounded half to even (run_edu_bert.py). The label's score is the clamped one.
 * @throws WinnowError CONFIGURATION for an actor without six subcategories; MODEL_UNUSABLE
 */
export async function createEduLabeler(
  actor: ActorOfLabels,
  config: EduConfig,
  baseFolder: string,
  encoders: Encoders,
): Promise<Labeler> {
  const { by } = config
  const version = await eduVersion(actor, config, baseFolder)
  if (by.kind === 'metadata') {
    const label = async (inputs: LabelInput[]) => inputs.map((input) => rounded(scoreOfField(input, by.path)))
    return { actor: actor.name, version, label, cut, close: async () => {} }
  }
  const whole = scoreOnly(actor)
  const inner =
    by.kind === 'hashed'
      ? await createHashedLabeler(whole, by, baseFolder)
      : await createOnnxLabeler(whole, onnxOf(by), baseFolder, encoders)
  const { labelRead } = inner
  return {
    ...inner,
    ...{ version, cut },
    label: async (inputs) => (await inner.label(inputs)).map(rounded),
    ...(labelRead !== undefined && {
      labelRead: async (inputs: LabelInput[]) => {
        const { labels, read } = await labelRead(inputs)
        return { labels: labels.map(rounded), read }
      },
    }),
  }
}
