import { z } from 'zod'
import { WinnowError } from '../runtime/errors.ts'
import { versionOf } from './mapping.ts'
import type { ActorOfLabels, Labeler, LabelResult } from './types.ts'

/** SlimPajama's names of its sources. */
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
    .describe("Where in the row's meta the value is; a dot goes one level down"),
  mapping: z
    .record(z.string(), z.string())
    .optional()
    .describe('Subcategory for each value. A value that is itself the name of a subcategory needs none'),
})
export type MetadataConfig = z.infer<typeof metadataConfig>

function valueAt(meta: unknown, path: string[]): unknown {
  let value = meta
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/**
 * Labels by a value of the document's metadata. Without a `mapping` it knows SlimPajama's sources, as far as the actor has their subcategories.
 * @throws WinnowError CONFIGURATION if `mapping` names a subcategory that the actor does not have
 */
export function createMetadataLabeler(actor: ActorOfLabels, config: MetadataConfig): Labeler {
  const indices = new Map(actor.subcategories.map((name, index) => [name, index]))
  for (const [value, name] of Object.entries(config.mapping ?? {})) {
    if (indices.has(name)) continue
    throw new WinnowError(
      'CONFIGURATION',
      `The mapping of actor ${actor.name} sends ${JSON.stringify(value)} to ${JSON.stringify(name)}, which is not one of its subcategories`,
      {
        hint: `Subcategories: ${actor.subcategories.join(', ')}.`,
      },
    )
  }
  for (const [value, name] of Object.entries(config.mapping ?? slimPajama)) {
    const index = indices.get(name)
    if (index !== undefined) indices.set(value, index)
  }
  const path = config.path.split('.')
  const label = (meta: unknown): LabelResult => {
    const value = valueAt(meta, path)
    const subcategory = typeof value === 'string' ? indices.get(value) : undefined
    if (subcategory !== undefined) return { ok: true, subcategory, score: 1 }
    const shown = value === undefined ? 'missing' : JSON.stringify(value).slice(0, 200)
    return {
      ok: false,
      reason: 'unknown-domain',
      message: `meta.${config.path} is ${shown}. Known values: ${[...indices.keys()].join(', ')}.`,
    }
  }
  return {
    actor: actor.name,
    version: versionOf(['metadata', config.path, [...indices]]),
    label: async (inputs) => inputs.map(({ meta }) => label(meta)),
    close: async () => {},
  }
}
