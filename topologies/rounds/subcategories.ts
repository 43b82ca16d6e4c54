import type { SubcategoryMapping } from '../../schemas/index.ts'
import type { ActorMemory } from '../selection/actor-memory.ts'

/** Subcategories that become others. */
export interface MappedSubcategories {
  readonly before: readonly string[]
  readonly mapping: SubcategoryMapping
  /** By subcategory, in the new order: of those that are new. */
  readonly initialWeights: readonly number[]
}

/** What somebody wants of subcategories that change; names that stay need no word. */
export interface WantedSubcategories {
  /** Each of `to` goes on from `from`. */
  readonly split: readonly { readonly to: readonly string[]; readonly from: string }[]
  /** `to` goes on from the mean of `from`. */
  readonly merged: readonly { readonly from: readonly string[]; readonly to: string }[]
  readonly retired: readonly string[]
}

/**
 * How an actor's subcategories become others: each that stays goes on from itself, each that was split or merged from what it came of, others begin anew.
 * @param before as they are
 * @param after as they will be, in order
 * @param documents of a subcategory, by which those that are merged are weighed
 * @returns or, in words, why not: each of `before` that is not in `after` has to be accounted for
 */
export function subcategoryMapping(
  before: readonly string[],
  after: readonly string[],
  { split, merged, retired }: WantedSubcategories,
  documents: (subcategory: string) => number,
): SubcategoryMapping | { problems: string[] } {
  const problems: string[] = []
  const sources = new Map<string, readonly string[]>()
  const goesOn = (to: string, from: readonly string[]) => {
    if (!after.includes(to)) problems.push(`${to} is none of the new subcategories, which are ${after.join(', ')}`)
    if (sources.has(to)) problems.push(`${to} is named twice as what others become`)
    sources.set(to, from)
  }
  for (const { to, from } of split) for (const one of to) goesOn(one, [from])
  for (const { from, to } of merged) {
    for (const one of from)
      if (one !== to && after.includes(one)) problems.push(`${one} cannot be merged into ${to}: it stays`)
    goesOn(to, [...new Set(from)])
  }
  for (const name of after) if (before.includes(name) && !sources.has(name)) sources.set(name, [name])
  const used = new Set([...sources.values()].flat())
  for (const name of [...used, ...retired])
    if (!before.includes(name)) problems.push(`${name} is none of the subcategories, which are ${before.join(', ')}`)
  for (const name of retired) {
    if (after.includes(name)) problems.push(`${name} cannot be retired: it is one of the new subcategories`)
    else if (used.has(name)) problems.push(`${name} cannot be retired: another one goes on from it`)
  }
  const left = before.filter((name) => !used.has(name) && !retired.includes(name))
  if (left.length > 0)
    problems.push(`the new labels have no ${left.join(', ')}: say what becomes of them by --split, --merge or --retire`)
  if (problems.length > 0) return { problems }
  const origins = after.map((subcategory) => {
    const from = sources.get(subcategory) ?? []
    const weigh = from.length > 1 ? documents : () => 0
    return { subcategory, from: from.map((name) => ({ subcategory: name, documents: weigh(name) })) }
  })
  return { origins, retired: [...retired] }
}

/** Whether a mapping is from these subcategories to those. */
export function mapsFrom(
  { origins, retired }: SubcategoryMapping,
  before: readonly string[],
  after: readonly string[],
): boolean {
  const known = new Set([...origins.flatMap(({ from }) => from.map(({ subcategory }) => subcategory)), ...retired])
  return (
    origins.map(({ subcategory }) => subcategory).join('\n') === after.join('\n') &&
    known.size === before.length &&
    before.every((name) => known.has(name))
  )
}

/**
 * Weights by what they go on from: of a single subcategory the same number, of several their mean weighted by documents, summed in the order recorded (their
 * plain mean where none has documents), of none the initial one.
 */
export const mappedWeights = (
  weights: readonly number[],
  { before, mapping: { origins }, initialWeights }: MappedSubcategories,
): number[] =>
  origins.map(({ from }, j) => {
    if (from.length === 0) return initialWeights[j]!
    const weightOf = (subcategory: string) => weights[before.indexOf(subcategory)]!
    if (from.length === 1) return weightOf(from[0]!.subcategory)
    const total = from.reduce((sum, { documents }) => sum + documents, 0)
    const share = (documents: number) => (total === 0 ? 1 : documents)
    const sum = from.reduce((all, { subcategory, documents }) => all + share(documents) * weightOf(subcategory), 0)
    return sum / (total === 0 ? from.length : total)
  })

/** An actor's memory once its subcategories are others. What the last round said of those that are new or merged is nothing. */
export function mappedMemory(memory: ActorMemory, mapped: MappedSubcategories): ActorMemory {
  const { before, mapping } = mapped
  const sources = mapping.origins.map(({ from }) => from.map(({ subcategory }) => before.indexOf(subcategory)))
  const only = <T>(values: readonly T[], otherwise: T): T[] =>
    sources.map((from) => (from.length === 1 ? values[from[0]!]! : otherwise))
  return {
    weights: mappedWeights(memory.weights, mapped),
    rewards: only(memory.rewards, null),
    counts: only(memory.counts, 0),
    everRewarded: sources.map((from) => from.some((j) => memory.everRewarded[j]!)),
  }
}

/** What becomes of those that do not stay, in words. */
export function mappingInWords({ origins, retired }: SubcategoryMapping): string {
  const splits = new Map<string, string[]>()
  const parts: string[] = []
  for (const { subcategory, from } of origins) {
    const [first, ...others] = from.map((one) => one.subcategory)
    if (first === undefined) parts.push(`new ${subcategory}`)
    else if (others.length > 0) parts.push(`${[first, ...others].join(', ')} become ${subcategory}`)
    else splits.set(first, [...(splits.get(first) ?? []), subcategory])
  }
  for (const [from, to] of splits) if (to.join() !== from) parts.unshift(`${from} becomes ${to.join(', ')}`)
  return [...parts, ...(retired.length > 0 ? [`without ${retired.join(', ')}`] : [])].join('; ')
}
