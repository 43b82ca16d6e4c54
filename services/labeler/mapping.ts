import { createHash } from 'node:crypto'
import { isUsableScore } from '../../topologies/selection/strategy.ts'
import { WinnowError } from '../runtime/errors.ts'
import { checkRanges, createRangeFinder, type Ranges, rangesShown } from './ranges.ts'
import type { ActorOfLabels, LabelResult } from './types.ts'

/** The largest score of a regression head; SELECTION.md, "Default actors". */
const scoreMax = 5

/** Digest of whatever decides the labels; the first 16 hexadecimal digits of SHA-256. */
export function versionOf(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

/** Part of a regression's version: an earlier release did not clamp scores. */
export const clampedScores = `score in [0, ${scoreMax}]`

/** Interval of a score, which is clamped to [0, 5], cut into `count` equal parts. A score that is not finite has no label. */
export function labelOfScore(score: number, count: number): LabelResult {
  if (!Number.isFinite(score))
    return { ok: false, reason: 'non-finite-score', message: `The model's score is ${score}.` }
  const clamped = Math.min(scoreMax, Math.max(0, score))
  return { ok: true, subcategory: Math.min(count - 1, Math.floor((clamped * count) / scoreMax)), score: clamped }
}

/** A document's label by its score. */
export type CutOfScores = (score: number) => LabelResult

/**
 * Labels by scores that are taken as they are: the subcategory whose range holds the score, or the only one of an actor that has one. A score
 * outside all ranges has no label, nor has one that selections cannot use (SELECTION.md, "Precisions").
 * @throws WinnowError CONFIGURATION for ranges that do not fit the actor, or that are missing though it has several subcategories
 */
export function cutByRanges(actor: ActorOfLabels, ranges: Ranges | undefined): CutOfScores {
  if (ranges === undefined && actor.subcategories.length > 1) {
    throw new WinnowError('CONFIGURATION', `Labeler of actor ${actor.name}: ranges is missing`, {
      hint: `Give the range of each subcategory (${actor.subcategories.join(', ')}), or the actor a single one: [all].`,
    })
  }
  checkRanges(actor, ranges ?? {})
  const subcategoryOf = ranges === undefined ? () => 0 : createRangeFinder(actor, ranges)
  return (score) => {
    if (!isUsableScore(score))
      return { ok: false, reason: 'non-finite-score', message: `The score is ${score}: not finite, or 2^32 or more.` }
    const subcategory = subcategoryOf(score)
    if (subcategory !== undefined) return { ok: true, subcategory, score }
    return {
      ok: false,
      reason: 'outside-ranges',
      message: `The score ${score} is in no range: ${rangesShown(ranges ?? {})}.`,
    }
  }
}

/** The class with the largest logit (the first of equals), as the actor's subcategory, with its softmax probability. */
export function labelOfLogits(logits: ArrayLike<number>, subcategories: number[]): LabelResult {
  let best = 0
  let sum = 0
  for (let k = 0; k < logits.length; k++) {
    if (!Number.isFinite(logits[k]))
      return { ok: false, reason: 'non-finite-score', message: `The model's logit ${k} is ${logits[k]}.` }
    if (logits[k]! > logits[best]!) best = k
  }
  for (let k = 0; k < logits.length; k++) sum += Math.exp(logits[k]! - logits[best]!)
  return { ok: true, subcategory: subcategories[best]!, score: 1 / sum }
}

/** For each class of a model, its index in the actor's list, by name. @throws WinnowError MODEL_UNUSABLE for a class that is not in the list. */
export function subcategoriesOfClasses(actor: ActorOfLabels, classes: string[], file: string): number[] {
  return classes.map((name) => {
    const index = actor.subcategories.indexOf(name)
    if (index >= 0) return index
    throw new WinnowError(
      'MODEL_UNUSABLE',
      `${file}: the model's class ${JSON.stringify(name)} is not a subcategory of actor ${actor.name}`,
      {
        hint: `Use a model for this actor, or make its subcategories fit: they are ${actor.subcategories.join(', ')}; the model's classes are ${classes.join(', ')}.`,
      },
    )
  })
}
