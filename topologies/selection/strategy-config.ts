import { z } from 'zod'
import { presetNamed, presetNames } from './presets.ts'
import { defaultStrategy, partsSchema, type Strategy } from './strategy.ts'

const preset = z
  .enum(presetNames, 'must be the name of a preset (see: winnow strategies)')
  .describe('A method by name (docs/strategies.md); parts that are given replace its own')

/** `strategy` of a configuration: a preset, four parts, or a preset with some parts of its own. Recorded are the parts that come of it. */
export const strategySchema = z
  .union(
    [preset, partsSchema.extend({ preset: preset.optional() })],
    'must be the name of a preset (see: winnow strategies) or {preset, pool, score, mixture, sampler}',
  )
  .transform((given): Strategy => {
    const { preset: name = '', ...own } = typeof given === 'string' ? { preset: given } : given
    // A part that is undefined would hide the preset's.
    const parts = Object.fromEntries(Object.entries(own).filter(([, part]) => part !== undefined))
    return { ...resolveStrategy(name), ...parts } as Strategy
  })

/** The four parts of a preset, with every default; of a name that is none, the defaults. */
export const resolveStrategy = (name: string): Strategy => ({
  ...defaultStrategy,
  ...(partsSchema.parse(presetNamed(name)?.parts ?? {}) as Partial<Strategy>),
})
