import { z } from 'zod'
import { textOfJson } from '../../schemas/index.ts'
import { fieldAt } from '../../topologies/fields.ts'
import { WinnowError } from '../runtime/errors.ts'
import { versionOf } from './mapping.ts'
import { checkRanges, createRangeFinder, rangesConfig, rangesShown } from './ranges.ts'
import type { ActorOfLabels, Labeler, LabelResult } from './types.ts'

/** SlimPajama's names for its sources. */
const slimPajama = {
  RedPajamaArXiv: 'ArXiv',
  RedPajamaBook: 'Book',
  RedPajamaC4: 'C4',
  RedPajamaCommonCrawl: 'CommonCrawl',
  RedPajamaGithub: 'GitHub',
  RedPajamaStackExchange: 'StackExchange',
  RedPajamaWikipedia: 'Wikipedia',
}

export const metadataConfig = z.strictObject({
  kind: z.literal('metadata').describe('By a field of the row'),
  path: z
    .string()
    .min(1)
    .default('redpajama_set_name')
    .describe(
      'Where the value is: in the row itself, or else in its meta; a dot goes one level down, even into a string of JSON',
    ),
  mapping: z
    .record(z.string(), z.string())
    .optional()
    .describe(
      'Subcategory for each value, numbers and booleans as text. A value that is itself the name of a subcategory needs none',
    ),
  ranges: rangesConfig.optional(),
})
export type MetadataConfig = z.infer<typeof metadataConfig>

/** Part of the version: an earlier release read only `meta` if a row had one, and accepted no numbers. */
const rule = 'fields of the row, then of meta; numbers as text'

/** Characters of a value or list shown in a message. */
const charactersShown = 200

/**
 * Labels by a value in the row other than its text. Without a `mapping` it knows SlimPajama's sources, as far as the actor has their
 * subcategories. The score is 1, or the number itself if a range gave the label. @throws WinnowError CONFIGURATION if `mapping` or `ranges`
 * name a subcategory that the actor does not have, or ranges overlap
 */
export function createMetadataLabeler(actor: ActorOfLabels, config: MetadataConfig): Labeler {
  const { path, mapping, ranges = {} } = config
  const indexOf = new Map(actor.subcategories.map((name, index) => [name, index]))
  for (const [value, name] of Object.entries(mapping ?? {})) {
    if (indexOf.has(name)) continue
    throw new WinnowError(
      'CONFIGURATION',
      `The mapping of actor ${actor.name} maps ${JSON.stringify(value)} to ${JSON.stringify(name)}, which is not one of its subcategories`,
      {
        hint: `Subcategories: ${actor.subcategories.join(', ')}.`,
      },
    )
  }
  checkRanges(actor, ranges)
  const rangeOf = createRangeFinder(actor, ranges)
  // A value may be the name of another subcategory.
  const indices = new Map(indexOf)
  for (const [value, name] of Object.entries(mapping ?? slimPajama)) {
    const index = indexOf.get(name)
    if (index !== undefined) indices.set(value, index)
  }
  // "3.0" in the configuration is the number 3 of a row.
  const byNumber = new Map(
    [...indices].map(([value, index]) => [value.trim() === '' ? Number.NaN : Number(value), index]),
  )
  byNumber.delete(Number.NaN)

  const known = [...indices.keys()].join(', ').slice(0, 10 * charactersShown)
  const label = (meta: unknown): LabelResult => {
    const value = fieldAt(meta, path)
    const text = textOfJson(value)
    const named = text === undefined ? undefined : indices.get(text)
    if (named !== undefined) return { ok: true, subcategory: named, score: 1 }
    const number = numberOf(text)
    const equal = typeof value === 'number' ? byNumber.get(value) : undefined
    if (equal !== undefined) return { ok: true, subcategory: equal, score: 1 }
    const within = number === undefined ? undefined : rangeOf(number)
    if (within !== undefined) return { ok: true, subcategory: within, score: number! }
    const shown = value === undefined ? `missing (the row has: ${namesIn(meta)})` : JSON.stringify(value)
    const intervals = rangesShown(ranges)
    return {
      ok: false,
      reason: 'unknown-domain',
      message: `${path} is ${shown.slice(0, charactersShown)}. Known values: ${known}${intervals && `; ranges: ${intervals}`}.`,
    }
  }
  return {
    actor: actor.name,
    version: versionOf(['metadata', rule, path, [...indices], ranges]),
    label: async (inputs) => inputs.map(({ meta }) => label(meta)),
    close: async () => {},
  }
}

/** Scores are numbers, or strings of one. */
export function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*[-+]?(\d|\.\d)/.test(text)) return undefined
  const number = Number(text)
  return Number.isFinite(number) ? number : undefined
}

const namesIn = (meta: unknown): string =>
  typeof meta === 'object' && meta !== null && Object.keys(meta).length > 0
    ? Object.keys(meta).join(', ').slice(0, charactersShown)
    : 'nothing but its text'
