import type { Budget, SelectionConfig } from './config.ts'
import type { Group } from './groups.ts'
import { millionths } from './guard-fields.ts'
import { type GuardRule, guardedOf, guardRules } from './guards-config.ts'
import { naturalShare } from './other-bound.ts'
import { levelsOf } from './plan.ts'
import type { ScoreOf } from './score.ts'

/**
 * Strata of guarded selections: documents whose guarded subcategories are the same, those of an actor that have no guard being alike (SELECTION.md,
 * "Guards"). A function of the configuration alone, so that a manifest's strata can be read without the corpus.
 */
export interface GuardStrata {
  readonly count: number
  /** The stratum of documents with these labels. */
  of(labels: readonly number[]): number
  /** The strata that a guard is about. */
  under(rule: GuardRule): number[]
}

export function guardStrata({ actors }: Pick<SelectionConfig, 'actors'>, rules: readonly GuardRule[]): GuardStrata {
  const guarded = actors.map((actor) => guardedOf(rules, actor))
  const count = guarded.reduce((product, own) => product * (own.length + 1), 1)
  const digitsOf = (stratum: number): number[] => {
    const digits: number[] = []
    let rest = stratum
    for (const own of guarded.toReversed()) {
      digits.unshift(rest % (own.length + 1))
      rest = Math.floor(rest / (own.length + 1))
    }
    return digits
  }
  return {
    count,
    of: (labels) => guarded.reduce((at, own, a) => at * (own.length + 1) + own.indexOf(labels[a]!) + 1, 0),
    under: ({ actor, subcategory }) => {
      const a = actors.findIndex(({ name }) => name === actor)
      const digit = guarded[a]!.indexOf(actors[a]!.subcategories.indexOf(subcategory)) + 1
      return Array.from({ length: count }, (_, s) => s).filter((s) => digitsOf(s)[a] === digit)
    },
  }
}

/** What the strata of a manifest with guards are, in its order; empty: it has no guards, and draws nothing naturally. */
export function guardedStrataInWords(config: Pick<SelectionConfig, 'actors' | 'guards' | 'strategy'>): string[] {
  const rules = guardRules(config)
  const natural = naturalShare(config) > 0
  if (rules.length === 0 && !natural) return []
  const names = config.actors.reduce<string[]>(
    (some, actor) => {
      const own = guardedOf(rules, actor).map((j) => `${actor.name}=${actor.subcategories[j]}`)
      return some.flatMap((name) => [name, ...own.map((one) => (name === '' ? one : `${name}, ${one}`))])
    },
    [''],
  )
  const others = rules.length === 0 ? 'by score' : 'all others'
  const ranked = names.map((name) => name || others)
  return natural
    ? [
        ...ranked,
        ...names.map((name) => (rules.length === 0 ? 'natural mixture' : `natural mixture: ${name || others}`)),
      ]
    : ranked
}

/** What a guard comes to, in the budget's unit: exactly the floor of share times budget. */
export function guardAmount(budget: Budget, { share }: Pick<GuardRule, 'share'>): number {
  return Number((BigInt(millionths(share)) * BigInt(wantedOf(budget))) / 1_000_000n)
}

const wantedOf = (budget: Budget): number => ('tokens' in budget ? budget.tokens : budget.documents)

interface Bound {
  readonly strata: readonly number[]
  readonly amount: number
}

/** What a selection takes of a stratum, in the budget's unit: by score of its best levels, and naturally of those below them. */
export interface GuardedStratum {
  readonly ranked: { readonly groups: Group[]; readonly quota: number }
  /** Without a natural share its quota is 0. */
  readonly natural: { readonly groups: Group[]; readonly quota: number }
}

/**
 * What each stratum gives to a guarded selection (SELECTION.md, "Guards"): first the floors, in their order, always from the best level of what may still be
 * taken; then the natural share, of every level in proportion; then the rest of the budget, again from the best. A cap that is reached takes its subcategory
 * out. It depends on the histogram alone.
 * @param strata the groups of the pool, by stratum
 * @param natural the share of the budget that is taken whatever the score
 */
export function guardedStrata(
  { budget, actors }: Pick<SelectionConfig, 'budget' | 'actors'>,
  rules: readonly GuardRule[],
  strata: readonly (readonly Group[])[],
  score: ScoreOf,
  natural = 0,
): GuardedStratum[] {
  const index = guardStrata({ actors }, rules)
  const boundsOf = (other: 'floor' | 'cap'): Bound[] =>
    rules
      .filter(({ kind }) => kind === other || kind === 'pin')
      .map((rule) => ({ strata: index.under(rule), amount: guardAmount(budget, rule) }))
  const caps = boundsOf('cap')
  const unit = ({ documents, tokens }: Group): number => ('tokens' in budget ? tokens : documents)
  const zeros = (): number[] => new Array<number>(index.count).fill(0)
  const levels = levelsOf(strata.flat(), score).map(({ groups }) => {
    const byStratum = Map.groupBy(groups, ({ labels }) => index.of(labels))
    const rest = zeros()
    for (const [s, own] of byStratum) rest[s] = own.reduce((sum, group) => sum + unit(group), 0)
    return { byStratum, rest, drawn: zeros() }
  })
  const taken = zeros()
  /** Of each stratum the last level that something was taken of by score. */
  const last = zeros().fill(-1)
  const everything = [...taken.keys()]
  let left = wantedOf(budget)
  const fill = (among: readonly number[], wanted: number): void => {
    let need = Math.min(wanted, left)
    for (const [l, { rest }] of levels.entries()) {
      if (need <= 0) return
      const before = among.map((s) => rest[s]!)
      const got = takeOfLevel(rest, among, need, taken, caps)
      for (const [i, s] of among.entries()) if (rest[s]! < before[i]!) last[s] = Math.max(last[s]!, l)
      need -= got
      left -= got
    }
  }
  const draw = (wanted: number): void => {
    const before = [...taken]
    const rest = everything.map((s) => levels.reduce((sum, level) => sum + level.rest[s]!, 0))
    left -= takeOfLevel(rest, everything, Math.min(wanted, left), taken, caps)
    for (const s of everything.filter((one) => taken[one]! > before[one]!)) {
      const held = levels.map((level) => level.rest[s]!)
      for (const [l, amount] of apportioned(taken[s]! - before[s]!, held).entries()) {
        levels[l]!.rest[s]! -= amount
        levels[l]!.drawn[s]! += amount
      }
    }
  }
  for (const { strata: own, amount } of boundsOf('floor')) fill(own, amount - sumAt(taken, own))
  if (natural > 0) draw(guardAmount(budget, { share: natural }))
  fill(everything, left)
  return everything.map((s) => {
    const below = levels.slice(last[s]! + 1)
    const quota = below.reduce((sum, { drawn }) => sum + drawn[s]!, 0)
    const groupsOf = (some: typeof levels) => some.flatMap(({ byStratum }) => byStratum.get(s) ?? [])
    return {
      ranked: { groups: groupsOf(levels.slice(0, last[s]! + 1)), quota: taken[s]! - quota },
      natural: { groups: groupsOf(below), quota },
    }
  })
}

const sumAt = (values: readonly number[], at: readonly number[]): number => at.reduce((sum, i) => sum + values[i]!, 0)

/**
 * Takes up to `need` of one level, from each stratum in proportion to what it still has there; what a cap leaves over is shared among the others again.
 * @returns how much was taken; `rest` and `taken` are moved by it
 */
function takeOfLevel(
  rest: number[],
  among: readonly number[],
  need: number,
  taken: number[],
  caps: readonly Bound[],
): number {
  let missing = need
  for (;;) {
    const room = caps.map(({ strata, amount }) => amount - sumAt(taken, strata))
    const open = among.filter((s) => rest[s]! > 0 && caps.every(({ strata }, i) => room[i]! > 0 || !strata.includes(s)))
    if (missing === 0 || open.length === 0) return need - missing
    const held = open.map((s) => rest[s]!)
    const quotas = new Map(zip(open, apportioned(Math.min(missing, sumOf(held)), held)))
    for (const [i, { strata }] of caps.entries()) {
      const own = open.filter((s) => strata.includes(s))
      const asked = own.map((s) => quotas.get(s)!)
      if (sumOf(asked) > room[i]!) for (const [s, less] of zip(own, apportioned(room[i]!, asked))) quotas.set(s, less)
    }
    for (const [s, amount] of quotas) {
      rest[s]! -= amount
      taken[s]! += amount
      missing -= amount
    }
  }
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)
const zip = (a: readonly number[], b: readonly number[]): [number, number][] => a.map((one, i) => [one, b[i]!])

/**
 * An amount in proportion to whole numbers that add up to no less, in whole numbers that add up to it, none above its own: the differences of
 * floor(amount * C_j / C + 1/2), C_j being cumulative, in integers of any size.
 */
export function apportioned(amount: number, weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + BigInt(weight), 0n)
  let cumulative = 0n
  let before = 0n
  return weights.map((weight) => {
    cumulative += BigInt(weight)
    const upTo = (2n * BigInt(amount) * cumulative + total) / (2n * total)
    const own = Number(upTo - before)
    before = upTo
    return own
  })
}
