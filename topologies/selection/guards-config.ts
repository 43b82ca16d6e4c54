import { z } from 'zod'
import { millionths, share, type Wanted, wanted, wishInWords } from './guard-fields.ts'
import { type OtherBound, otherBoundInWords, otherBoundSchema } from './other-bound.ts'
import { decidedByCells, type Strategy } from './strategy.ts'

/** At least, at most, or exactly this share of every selection is of a subcategory. */
export const guardKinds = ['floor', 'cap', 'pin'] as const
export type GuardKind = (typeof guardKinds)[number]

export interface GuardRule extends Wanted {
  kind: GuardKind
  actor: string
  subcategory: string
  /** Of the budget, in its unit; a whole number of millionths. */
  share: number
}

/** A document that the run's trainer has read this often is not selected again. */
export interface Repetitions extends Wanted {
  most: number
}

/** What selections must keep to, whatever the actors learn (SELECTION.md, "Guards"). */
export interface Guards {
  rules: GuardRule[]
  repetitions?: Repetitions | undefined
  other?: OtherBound | undefined
}

/** Strata of all guarded subcategories together: each is drawn from by itself. */
export const guardStrataMax = 1024

const most = z
  .number('must be a number')
  .refine((value) => Number.isSafeInteger(value) && value >= 1, 'must be an integer of at least 1')

export const guardsSchema = z
  .strictObject({
    rules: z
      .array(
        z.strictObject({
          kind: z.enum(guardKinds).describe('At least (floor), at most (cap) or exactly (pin) this share'),
          actor: z.string().describe('Whose subcategory'),
          subcategory: z.string(),
          share: share.describe('Of the budget, in its unit'),
          ...wanted,
        }),
      )
      .default([]),
    repetitions: z
      .strictObject({ most: most.describe('Documents read this often are not selected again'), ...wanted })
      .optional(),
    other: otherBoundSchema.optional().describe('How much the loss on other text may grow'),
  })
  .optional()

export interface GuardProblem {
  readonly path: (string | number)[]
  readonly message: string
}

interface GuardedActor {
  readonly name: string
  readonly subcategories: readonly string[]
}

interface Guarded {
  readonly actors: readonly GuardedActor[]
  readonly strategy?: Strategy | undefined
}

const byCells = 'a selection that cells decide: no sampler gumbel, label scores, tokensMin, scoreAbove or quantiles'

/** In words, of everything for which these guards cannot hold. */
export function guardProblems({ rules, other }: Guards, { actors, strategy }: Guarded): GuardProblem[] {
  const problems: GuardProblem[] = []
  const names = new Set<string>()
  const bounds = new Map<string, { least: number; most: number }>()
  for (const [i, { kind, actor, subcategory, share: given }] of rules.entries()) {
    const refused = (key: string, message: string) => problems.push({ path: ['rules', i, key], message })
    const known = actors.find(({ name }) => name === actor)
    if (known === undefined) refused('actor', `names no actor; they are ${actors.map(({ name }) => name).join(', ')}`)
    else if (!known.subcategories.includes(subcategory))
      refused('subcategory', `names none of ${actor}; they are ${known.subcategories.join(', ')}`)
    const place = JSON.stringify([actor, subcategory])
    const others = kind === 'pin' ? guardKinds : ([kind, 'pin'] as const)
    const clash = others.find((other) => names.has(`${other} ${place}`))
    if (clash !== undefined) refused('kind', `${kind} ${actor}=${subcategory}: there is a ${clash} of it already`)
    names.add(`${kind} ${place}`)
    const { least, most } = bounds.get(place) ?? { least: 0, most: 1e6 }
    const amount = millionths(given)
    bounds.set(place, { least: kind === 'cap' ? least : amount, most: kind === 'floor' ? most : amount })
  }
  if (problems.length > 0) return problems
  const refused = (message: string, path = 'rules') => problems.push({ path: [path], message })
  for (const [place, { least, most }] of bounds) {
    const [actor, subcategory] = JSON.parse(place) as [string, string]
    if (least > most) refused(`the floor of ${actor}=${subcategory} is above its cap`)
  }
  for (const { name, subcategories } of actors) {
    const own = subcategories.flatMap((one) => bounds.get(JSON.stringify([name, one])) ?? [])
    const least = own.reduce((sum, bound) => sum + bound.least, 0)
    const most = own.reduce((sum, bound) => sum + bound.most, 0)
    if (least > 1e6) refused(`floors and pins of ${name} add up to ${least / 1e6}, which is more than 1`)
    if (own.length === subcategories.length && most < 1e6)
      refused(`caps and pins of all of ${name} add up to ${most / 1e6}: nothing could fill the rest of the budget`)
  }
  if (rules.length > 0 && strategy?.mixture !== undefined)
    refused('cannot be combined with strategy.mixture, which says how much each subcategory gets')
  if (rules.length > 0 && !decidedByCells(strategy)) refused(`need ${byCells}`)
  if (other !== undefined && other.from !== undefined && !(other.from < other.bound))
    refused(`from ${other.from} must be below the bound, ${other.bound}`, 'other')
  if (other !== undefined && strategy?.mixture !== undefined)
    refused('cannot be combined with strategy.mixture, which says how much each subcategory gets', 'other')
  if (other !== undefined && !decidedByCells(strategy)) refused(`needs ${byCells}`, 'other')
  const strata = actors.reduce((product, actor) => product * (guardedOf(rules, actor).length + 1), 1)
  if (strata > guardStrataMax)
    refused(`of these subcategories there are ${strata} combinations, and at most ${guardStrataMax} can be guarded`)
  return problems
}

/** The rules that a selection has to keep to. Other ways to choose that an evaluation asks about may be none that can be guarded. */
export const guardRules = ({
  guards,
  strategy,
}: {
  guards?: Guards | undefined
  strategy?: Strategy | undefined
}): GuardRule[] =>
  guards !== undefined && strategy?.mixture === undefined && decidedByCells(strategy) ? guards.rules : []

/** The subcategories of an actor, by index, ascending, that have a guard. */
export function guardedOf(rules: readonly GuardRule[], { name, subcategories }: GuardedActor): number[] {
  const own = rules.filter(({ actor }) => actor === name)
  return [...subcategories.keys()].filter((j) => own.some(({ subcategory }) => subcategory === subcategories[j]))
}

/** As a command and an explanation name a guard. */
export const guardInWords = ({ kind, actor, subcategory, share: given, ...wish }: GuardRule): string =>
  `${kind} ${actor}=${subcategory}:${given}${wishInWords(wish)}`

export const repetitionsInWords = ({ most: times, ...wish }: Repetitions): string =>
  `repetitions ${times}${wishInWords(wish)}`

/** All guards of a run, each in words. */
export const guardsInWords = ({ rules, repetitions, other }: Guards): string[] => [
  ...rules.map(guardInWords),
  ...(repetitions === undefined ? [] : [repetitionsInWords(repetitions)]),
  ...(other === undefined ? [] : [otherBoundInWords(other)]),
]
