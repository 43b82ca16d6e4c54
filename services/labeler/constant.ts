import { z } from 'zod'
import { cutByRanges, versionOf } from './mapping.ts'
import type { ActorOfLabels, Labeler } from './types.ts'

export const constantConfig = z.strictObject({
  kind: z
    .literal('constant')
    .describe('The same for every document, for an actor of one subcategory: what a score is before anything is known'),
  score: z.number().default(0).describe('The score of every document'),
})
export type ConstantConfig = z.infer<typeof constantConfig>

/** The version of the labeler, without creating it. @throws WinnowError CONFIGURATION for an actor of several subcategories */
export function constantVersion(actor: ActorOfLabels, { score }: ConstantConfig): string {
  cutByRanges(actor, undefined)
  return versionOf(['constant', score, actor.subcategories])
}

/** Gives every document the only subcategory of its actor, and one score. @throws WinnowError CONFIGURATION for an actor of several subcategories */
export function createConstantLabeler(actor: ActorOfLabels, config: ConstantConfig): Labeler {
  const cut = cutByRanges(actor, undefined)
  return {
    actor: actor.name,
    version: constantVersion(actor, config),
    cut,
    label: async (inputs) => inputs.map(() => cut(config.score)),
    close: async () => {},
  }
}
