import type { SelectionConfig } from '../selection/config.ts'
import type { Corpus } from '../selection/corpus.ts'
import type { Group } from '../selection/groups.ts'
import { presets } from '../selection/presets.ts'
import {
  decidedByCells,
  defaultStrategy,
  type Strategy,
  scoredActors,
  strategyProblems,
} from '../selection/strategy.ts'
import { resolveStrategy } from '../selection/strategy-config.ts'
import type { Policy, Taken } from './estimate.ts'
import type { EvaluationSample } from './sample.ts'
import { shareOfCorpus, takenByCells } from './taken.ts'
import { takenByScore } from './taken-by-score.ts'

/** What a round selects by, apart from its configuration. */
export interface Weights {
  readonly weights: readonly (readonly number[])[]
  readonly theta: readonly number[]
}

/** The names of the policies that every evaluation has. */
export const theCorpus = 'corpus'
export const theSelection = 'selection'
export const theBest = 'best possible'

/** Strategies that the labels of these actors suffice for. The paper's own and random are there in any case. */
export function strategiesFor(config: SelectionConfig): { name: string; strategy: Strategy }[] {
  return presets.flatMap(({ name, needs }) => {
    const strategy = resolveStrategy(name)
    // What the actors are worth depends on how they were folded: that is what an ablation judges.
    if (name === 'random' || strategy.score.kind === 'actors') return []
    const isThere = Object.keys(needs).every((actor) => config.actors.some((one) => one.name === actor))
    return isThere && strategyProblems(strategy, config.actors).length === 0 ? [{ name, strategy }] : []
  })
}

/** The actors, by index, whose label scores an evaluation asks for. */
export function scoresWanted(config: SelectionConfig): number[] {
  const strategies = [config.strategy ?? defaultStrategy, ...strategiesFor(config).map(({ strategy }) => strategy)]
  return [...new Set(strategies.flatMap((strategy) => scoredActors(strategy, config.actors)))].sort((a, b) => a - b)
}

/** A round's selection by these weights, and other ways of choosing that the same log knows all about. */
export async function policiesOf(
  sample: EvaluationSample,
  corpus: Corpus,
  config: SelectionConfig,
  round: number,
  now: Weights,
  previous: Weights | undefined,
): Promise<Policy[]> {
  const { groups } = sample
  const taken = async (changed: SelectionConfig, { weights, theta }: Weights): Promise<Taken> => {
    if (decidedByCells(changed.strategy)) return { byGroup: takenByCells(changed, round, weights, theta, groups) }
    const strategy = changed.strategy ?? defaultStrategy
    return { byAnswer: await takenByScore(sample, corpus, changed, strategy, round, { weights, theta }) }
  }
  const selection = await taken(config, now)
  const policies: Policy[] = [
    { name: theCorpus, taken: { byGroup: new Float64Array(groups.length).fill(1) } },
    { name: theSelection, taken: selection },
  ]
  const add = async (name: string, changed: SelectionConfig, by: Weights = now) =>
    policies.push({ name, taken: await taken(changed, by) })
  if (previous !== undefined) await add('previous weights', config, previous)
  const ofActors = { ...config, strategy: undefined } satisfies SelectionConfig
  for (const { name } of config.actors) await add(`${name} alone`, { ...ofActors, collaboration: `single:${name}` })
  for (const collaboration of ['collaborative', 'competitive'] as const)
    if (config.strategy !== undefined || config.collaboration !== collaboration)
      await add(collaboration, { ...ofActors, collaboration })
  const fixed = { ...now, theta: config.actors.map(({ initialTheta }) => initialTheta) }
  await add('theta fixed', { ...ofActors, collaboration: 'collaborative' }, fixed)
  for (const { name, strategy } of strategiesFor(config)) await add(name, { ...config, strategy })
  policies.push({ name: theBest, taken: { best: shareTaken(selection, sample, groups) } })
  return policies
}

function shareTaken(taken: Taken, { weights }: EvaluationSample, groups: readonly Group[]): number {
  if ('byGroup' in taken) return shareOfCorpus(taken.byGroup, groups)
  if ('best' in taken) return taken.best
  const [all, some] = [weights, weights.map((weight, i) => weight * taken.byAnswer[i]!)].map((of) =>
    of.reduce((sum, weight) => sum + weight, 0),
  )
  return some! / all!
}
