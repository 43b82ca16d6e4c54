import { z } from 'zod'
import { WinnowError } from '../../runtime/errors.ts'
import { library } from '../language.ts'
import { versionOf } from '../mapping.ts'
import type { ActorOfLabels, Labeler, LabelResult } from '../types.ts'
import { type DetectLanguage, isEnglishProse } from './english.ts'
import { firstBreach, passed, ruleNames } from './gopher.ts'
import { segmentation } from './words.ts'

export const rulesConfig = z.strictObject({
  kind: z
    .literal('rules')
    .describe(
      "By Gopher's rules of quality and repetition: passed, or the first rule that a text breaks. Stop words and word length are checked for English prose only, not for other languages or source code",
    ),
  verdict: z
    .enum(['label', 'exclude'])
    .default('label')
    .describe(
      'label: a broken rule is a subcategory; exclude: such a document gets no label, and goes to dead letters with the reason',
    ),
  characters: z
    .number()
    .int()
    .min(1000)
    .default(200_000)
    .describe('Only this many characters from the start are read, which bounds the work'),
})
export type RulesConfig = z.infer<typeof rulesConfig>

/** Subcategory for broken rules that the actor does not distinguish. */
const failed = 'failed'

/** The version of the labeler, without creating it. */
export const rulesVersion = (actor: ActorOfLabels, config: RulesConfig): string =>
  versionOf(['rules', 2, library, segmentation, config.verdict, config.characters, actor.subcategories])

/**
 * Labels a document `passed`, or by the first rule that it breaks: as the rule's own subcategory if the actor has it, else as `failed`. The
 * score is 1 for `passed`, else the measured value that breaks the rule. @throws WinnowError CONFIGURATION if a verdict has no subcategory, or
 * a subcategory no rule
 */
export async function createRulesLabeler(actor: ActorOfLabels, config: RulesConfig): Promise<Labeler> {
  const known = [passed, failed, ...ruleNames]
  const strange = actor.subcategories.filter((name) => !known.includes(name))
  const indexOf = (name: string) => actor.subcategories.indexOf(name)
  const failedIndex = indexOf(failed)
  const homeless = config.verdict === 'label' && failedIndex < 0 ? ruleNames.filter((name) => indexOf(name) < 0) : []
  if (strange.length > 0 || homeless.length > 0 || indexOf(passed) < 0) {
    throw new WinnowError(
      'CONFIGURATION',
      `Labeler of actor ${actor.name}: its subcategories are not those of verdict ${config.verdict}`,
      { hint: `Give ${passed} and, with verdict label, ${failed} or every rule: ${ruleNames.join(', ')}.` },
    )
  }
  const detect = await languageDetector()
  const isEnglish = (text: string) => isEnglishProse(text, detect)
  const label = (text: string): LabelResult => {
    const breach = firstBreach(text.slice(0, config.characters), isEnglish)
    if (breach === undefined) return { ok: true, subcategory: indexOf(passed), score: 1 }
    const { rule, value } = breach
    if (config.verdict === 'exclude')
      return { ok: false, reason: `rule-${rule}`, message: `The measured value is ${value}.` }
    const own = indexOf(rule)
    return { ok: true, subcategory: own >= 0 ? own : failedIndex, score: value }
  }
  return {
    actor: actor.name,
    version: rulesVersion(actor, config),
    label: async (inputs) => inputs.map(({ text }) => label(text)),
    close: async () => {},
  }
}

async function languageDetector(): Promise<DetectLanguage> {
  const { eld } = await import('eld/medium')
  return (text) => {
    const found = eld.detect(text.toWellFormed())
    return { language: found.language, reliable: found.isReliable() }
  }
}
