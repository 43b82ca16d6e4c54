import { byKey, type NaiveDocument, naiveExpFixed, naiveKey } from './naive.ts'
import { type NaiveGuards, naiveGuarded } from './naive-guards.ts'

/** "Strategies" of SELECTION.md read literally, with nothing of topologies/: full sorts by exact values. */

export interface NaiveStrategy {
  pool?: (
    | { tokensMin: number }
    | { actor: string; subcategories: string[] }
    | { actor: string; scoreAbove: number }
    | { actor: string; quantiles: [number, number] }
  )[]
  score?:
    | { kind: 'actors' }
    | { kind: 'zero' }
    | { kind: 'label'; actor: string; sign?: 1 | -1; standardize?: 'none' | 'corpus' }
  mixture?: { actor: string; weights: number[] } | { actor: string; proportional: true }
  sampler?: { kind: 'top' } | { kind: 'gumbel'; temperature: number }
}

interface Given {
  strategy: NaiveStrategy
  /** All that take part. */
  documents: NaiveDocument[]
  subcategoriesOf: (actor: string) => string[]
  actors: string[]
  budget: { documents: number } | { tokens: number }
  /** Seed of the draw "select". */
  seed: bigint
  /** The weighted sum of the actors, before any decay. */
  actorsScore: (document: NaiveDocument) => number
  decay: (score: number, document: NaiveDocument) => number
  guards?: NaiveGuards | undefined
  /** Whether `repeat` and repetitions leave it in. */
  unread: (document: NaiveDocument) => boolean
}

const point = 400n

/**
 * ln by Halley's iteration on the plain series of exp, in 400-bit fixed point. Each step has three times as many digits as the one before, so three
 * take the 45 bits of a double's logarithm to all 400; their last digits never settle, since the series rounds each of its terms down.
 */
function lnFixed(x: bigint): bigint {
  let y = BigInt(Math.round(Math.log(Number(x) / 2 ** Number(point)) * 2 ** 50)) << (point - 50n)
  for (let step = 0; step < 3; step++) {
    const e = naiveExpFixed(y)
    y += ((2n * (x - e)) << point) / (x + e)
  }
  return y
}

const fixedToDouble = (fixed: bigint): number => Number(fixed) / 2 ** Number(point)

export function naiveGumbel(key: bigint): number {
  // 1 - u of a key near 2^64 is small and of one near 0 close to 1; 400 bits hold both.
  const complement = ((2n ** 65n - 1n - 2n * key) << point) >> 65n
  const e = fixedToDouble(-lnFixed(complement))
  let fixed = 0n
  for (let rest = e, shift = point; rest !== 0; rest = (rest - Math.trunc(rest)) * 2 ** 30, shift -= 30n)
    fixed += BigInt(Math.trunc(rest)) << shift
  return fixedToDouble(-lnFixed(fixed))
}

export function naiveQuotas(budget: number, weights: number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const upTo = weights.map((_, j) => {
    const cumulative = weights.slice(0, j + 1).reduce((sum, weight) => sum + weight, 0)
    return Math.floor(budget * (cumulative / total) + 0.5)
  })
  return upTo.map((value, j) => value - (j === 0 ? 0 : upTo[j - 1]!))
}

/** Number of a fraction of large integers: both fit into doubles' range, and the quotient is rounded by scaling to 100 extra bits. */
function divided(a: bigint, b: bigint): number {
  const scaled = (a << 300n) / b
  return Number(scaled) / 2 ** 300
}

export function naiveSelect(given: Given): NaiveDocument[] {
  const { strategy, documents, budget, seed } = given
  const scoreOf = (actor: string) => (document: NaiveDocument) => document.scores![actor]!
  const at = (actor: string, r: number) =>
    documents.map(scoreOf(actor)).sort((a, b) => a - b)[Math.max(1, Math.ceil(r * documents.length)) - 1]!
  let pool = documents
  for (const condition of strategy.pool ?? []) {
    if ('tokensMin' in condition) pool = pool.filter(({ tokens }) => tokens >= condition.tokensMin)
    else if ('subcategories' in condition) {
      const indexes = condition.subcategories.map((name) => given.subcategoriesOf(condition.actor).indexOf(name))
      pool = pool.filter(({ labels }) => indexes.includes(labels[condition.actor]!))
    } else if ('scoreAbove' in condition)
      pool = pool.filter((document) => scoreOf(condition.actor)(document) > condition.scoreAbove)
    else {
      const [p, q] = condition.quantiles
      const [low, high] = [at(condition.actor, p), at(condition.actor, q)]
      pool = pool.filter((document) => {
        const x = scoreOf(condition.actor)(document)
        return (p === 0 || x > low) && x <= high
      })
    }
  }
  const score = strategy.score ?? { kind: 'actors' }
  let raw = given.actorsScore
  if (score.kind === 'zero') raw = () => 0
  if (score.kind === 'label') {
    let f = (x: number) => x
    if (score.standardize === 'corpus') {
      const q = documents.map((document) => BigInt(Math.floor(scoreOf(score.actor)(document) * 2 ** 20 + 0.5)))
      const n = BigInt(q.length)
      const sum = q.reduce((total, one) => total + one, 0n)
      const squares = q.reduce((total, one) => total + one * one, 0n)
      const m = divided(sum, n * 2n ** 20n)
      const s = Math.sqrt(divided(n * squares - sum * sum, n * n * 2n ** 40n))
      f = (x) => (s === 0 ? 0 : (x - m) / s)
    }
    raw = (document) => (score.sign ?? 1) * f(scoreOf(score.actor)(document))
  }
  const sampler = strategy.sampler ?? { kind: 'top' }
  const sorted = pool
    .filter(given.unread)
    .map((document) => {
      const key = naiveKey(BigInt(document.docId), seed)
      const s = given.decay(raw(document), document)
      return { document, key, s, g: sampler.kind === 'top' ? s : s / sampler.temperature + naiveGumbel(key) }
    })
    .sort((a, b) => (a.g === b.g ? (a.key < b.key ? -1 : 1) : b.g > a.g ? 1 : -1))
  const ranked = sorted.map(({ document }) => document)
  const size = (list: NaiveDocument[]) =>
    'tokens' in budget ? list.reduce((sum, { tokens }) => sum + tokens, 0) : list.length
  const prefix = (list: NaiveDocument[], quota: number) => {
    let n = 0
    while (n < list.length && size(list.slice(0, n)) < quota) n++
    return list.slice(0, n)
  }
  const wanted = 'tokens' in budget ? budget.tokens : budget.documents
  const { mixture } = strategy
  const { rules = [], other } = given.guards ?? {}
  const natural = other?.share ?? 0
  if (rules.length > 0 || natural > 0) {
    const indexed = (actor: string, name: string) => given.subcategoriesOf(actor).indexOf(name)
    const unit = ({ tokens }: NaiveDocument) => ('tokens' in budget ? tokens : 1)
    const drawn = (some: NaiveDocument[]) => byKey(some, seed)
    return naiveGuarded(rules, sorted, wanted, indexed, unit, given.actors, natural, drawn)
  }
  if (mixture === undefined) return prefix(ranked, wanted)
  const strata = given
    .subcategoriesOf(mixture.actor)
    .map((_, j) => ranked.filter(({ labels }) => labels[mixture.actor] === j))
  const holdings = strata.map(size)
  const weights = 'weights' in mixture ? mixture.weights : holdings
  const selected: NaiveDocument[] = []
  let active = [...weights.keys()].filter((j) => weights[j]! > 0)
  let left = wanted
  while (active.length > 0) {
    const quotas = naiveQuotas(
      left,
      active.map((j) => weights[j]!),
    )
    const short = active.filter((j, i) => holdings[j]! < quotas[i]!)
    if (short.length === 0) {
      for (const [i, j] of active.entries()) selected.push(...prefix(strata[j]!, quotas[i]!))
      break
    }
    for (const j of short) {
      selected.push(...strata[j]!)
      left -= holdings[j]!
    }
    active = active.filter((j) => !short.includes(j))
  }
  return selected
}
