import type { SelectionConfig } from '../selection/config.ts'
import { codeInitialWeight } from '../selection/initial-weights.ts'
import { cellCount, cellsMax, jointDefaults, shrinkageDefault } from '../selection/joint-config.ts'
import { resolveStrategy } from '../selection/strategy-config.ts'

/** Another way in which a run's recorded rewards could have been folded and used. */
export interface Variant {
  readonly name: string
  readonly config: SelectionConfig
  /** The actors, by index, whose rewards count; the others' are as if they had not been asked for. */
  readonly rewarded: readonly number[]
}

/** The run's own configuration. */
export const asRecorded = (config: SelectionConfig): Variant => ({
  name: 'as recorded',
  config,
  rewarded: [...config.actors.keys()],
})

/**
 * The ablations of the paper (Tables 2 and 5) for any actors: each set of actors with and without updates, theta fixed, each actor's weights
 * alone, the actor of the largest theta (A.4.3), the additive update (v1, Eq. 5), the authors' code; and joint weights, our extension,
 * by each weighting, with and without residuals of cells.
 */
export function ablations(config: SelectionConfig): Variant[] {
  const all = [...config.actors.keys()]
  const recorded = asRecorded(config)
  const variants: Variant[] = [recorded]
  for (const members of setsOf(all)) {
    const name = members.map((a) => config.actors[a]!.name).join(' + ')
    const only = onlyOf(config, members)
    if (members.length < all.length) variants.push({ ...recorded, name, config: only, rewarded: members })
    variants.push({ ...recorded, name: `${name}, no updates`, config: withEta(only, 0), rewarded: members })
  }
  if (config.theta === undefined)
    variants.push({ ...recorded, name: 'theta fixed', config: { ...config, theta: 'fixed' } })
  if (all.length > 1)
    for (const { name } of config.actors)
      variants.push({ ...recorded, name: `single: ${name}`, config: { ...config, collaboration: `single:${name}` } })
  for (const collaboration of ['collaborative', 'competitive'] as const)
    if (config.collaboration !== collaboration)
      variants.push({ ...recorded, name: collaboration, config: { ...config, collaboration } })
  variants.push(...jointVariants(config))
  const update = config.update === 'ema' ? 'additive' : 'ema'
  variants.push({ ...recorded, name: `update ${update}`, config: { ...config, update } })
  if (config.strategy === undefined) variants.push({ ...recorded, name: 'paper-code', config: asPaperCode(config) })
  return variants
}

/** Joint weights by each weighting, with and without residuals of cells; but for the recorded one. */
function jointVariants(config: SelectionConfig): Variant[] {
  if (config.normalize !== 'none') return []
  const { cells, ...fit } = config.joint ?? jointDefaults
  const some = cells ?? { shrinkage: shrinkageDefault, eta: config.actors[0]!.eta }
  const residuals = cellCount(config.actors) <= cellsMax ? [undefined, some] : [undefined]
  return (['answers', 'corpus'] as const).flatMap((weighting) =>
    residuals.flatMap((own): Variant[] => {
      const isRecorded = config.joint?.weighting === weighting && (cells === undefined) === (own === undefined)
      if (isRecorded) return []
      const name = `joint by ${weighting}${own === undefined ? '' : ', residuals'}`
      const joint = { ...fit, weighting, ...(own !== undefined && { cells: own }) }
      return [{ ...asRecorded(config), name, config: { ...config, collaboration: 'joint', joint } }]
    }),
  )
}

/** Every set of one or more, the larger ones first. */
function setsOf(members: readonly number[]): number[][] {
  const sets = Array.from({ length: 2 ** members.length - 1 }, (_, i) =>
    members.filter((_, bit) => ((i + 1) >> bit) & 1),
  )
  return sets.sort((a, b) => b.length - a.length)
}

/** Theta 0 and no updates for the other actors, so that they add nothing to a score. */
function onlyOf(config: SelectionConfig, members: readonly number[]): SelectionConfig {
  const actors = config.actors.map((actor, a) => (members.includes(a) ? actor : { ...actor, eta: 0, initialTheta: 0 }))
  return { ...config, actors }
}

/** As the authors' code folds and scores (SELECTION.md, "The authors' code"). */
function asPaperCode(config: SelectionConfig): SelectionConfig {
  const rules = { update: 'ema', rewardTransform: { kind: 'identity' }, normalize: 'none', unrewarded: 'keep' } as const
  const actors = config.actors.map((actor) => ({
    ...actor,
    initialWeights: actor.initialWeights.map(() => codeInitialWeight),
  }))
  const { joint: _, theta: __, ...others } = config
  const collaboration = config.collaboration === 'joint' ? 'collaborative' : config.collaboration
  return { ...others, ...rules, collaboration, actors, strategy: resolveStrategy('paper-code') }
}

const withEta = (config: SelectionConfig, eta: number): SelectionConfig => ({
  ...config,
  actors: config.actors.map((actor) => ({ ...actor, eta })),
  ...(config.joint?.cells !== undefined && { joint: { ...config.joint, cells: { ...config.joint.cells, eta } } }),
})
