import { z } from 'zod'
import { WinnowError } from '../runtime/errors.ts'
import { versionOf } from './mapping.ts'
import type { ActorOfLabels, Labeler, LabelResult } from './types.ts'

export const languageConfig = z.strictObject({
  kind: z
    .literal('language')
    .describe('By the language of the text: 60 of them, by their ISO 639-1 codes, found by the library eld'),
  verdict: z
    .enum(['label', 'exclude'])
    .default('label')
    .describe(
      'label: languages without a subcategory are `other`; exclude: such a document gets no label, and goes to dead letters with the reason',
    ),
  characters: z
    .number()
    .int()
    .min(100)
    .default(2000)
    .describe('Only this many characters from the start are read, which bounds the work'),
})
export type LanguageConfig = z.infer<typeof languageConfig>

/** Subcategory for languages that the actor does not distinguish, and for texts whose language is unknown. */
const other = 'other'
/** Part of the version: another release of the library may detect another language. */
export const library = 'eld 2.1.0 medium'

/** The version of the labeler, without creating it. */
export const languageVersion = (actor: ActorOfLabels, config: LanguageConfig): string =>
  versionOf(['language', library, config.verdict, config.characters, actor.subcategories])

/**
 * Labels a document by its language; the score is the library's confidence, from 0 to 1. @throws WinnowError CONFIGURATION for a subcategory
 * that is not a supported language, or if `other` is missing
 */
export async function createLanguageLabeler(actor: ActorOfLabels, config: LanguageConfig): Promise<Labeler> {
  const { eld } = await import('eld/medium')
  const languages = Object.values<string>(eld.info().Languages)
  const indices = new Map(actor.subcategories.map((name, index) => [name, index]))
  const strange = actor.subcategories.filter((name) => name !== other && !languages.includes(name))
  const otherIndex = indices.get(other)
  if (strange.length > 0 || (config.verdict === 'label' && otherIndex === undefined)) {
    throw new WinnowError(
      'CONFIGURATION',
      `Labeler of actor ${actor.name}: its subcategories are not languages${strange.length > 0 ? `: ${strange.join(', ')}` : `, or lack ${other}`}`,
      { hint: `With verdict label ${other} must be one; languages are ${languages.join(', ')}.` },
    )
  }
  const label = (text: string): LabelResult => {
    const found = eld.detect(text.slice(0, config.characters).toWellFormed())
    const score = found.language === '' ? 0 : (found.getScores()[found.language] ?? 0)
    const subcategory = indices.get(found.language)
    if (subcategory !== undefined) return { ok: true, subcategory, score }
    if (config.verdict === 'label') return { ok: true, subcategory: otherIndex!, score }
    const what = found.language === '' ? 'The language is unknown.' : `The language is ${found.language}.`
    return { ok: false, reason: 'language', message: what }
  }
  return {
    actor: actor.name,
    version: languageVersion(actor, config),
    label: async (inputs) => inputs.map(({ text }) => label(text)),
    close: async () => {},
  }
}
