import { createHash } from 'node:crypto'
import type { NaiveGuards } from './naive-guards.ts'
import { naiveCell, naiveCells, naiveJoint } from './naive-joint.ts'
import { type NaiveStrategy, naiveSelect } from './naive-strategy.ts'

/**
 * SELECTION.md read literally: plain objects, BigInt and full sorts, and nothing of topologies/. Slow, and what the real thing must equal
 * to the last bit.
 */

export interface NaiveDocument {
  docId: string
  tokens: number
  labels: Record<string, number>
  scores?: Record<string, number>
}
export interface NaiveReward {
  round: number
  actor: string
  docId: string
  reward: number
  /** On other text; only a price looks at it. */
  other?: number
}
export interface NaiveActor {
  subcategories: string[]
  eta?: number
  initialWeights?: number[]
  initialTheta?: number
}
export interface NaiveConfig {
  seed: number | string
  actors: Record<string, NaiveActor>
  update?: 'ema' | 'additive'
  rewardTransform?: { kind: 'identity' } | { kind: 'exp'; scale?: number } | { kind: 'standardize' }
  normalize?: 'none' | 'sum'
  collaboration?: string
  theta?: 'fixed'
  joint?: { ridge?: number; weighting?: 'answers' | 'corpus'; cells?: { shrinkage?: number; eta?: number } }
  firstSelection?: 'random' | 'weights'
  unrewarded?: 'keep' | 'mean'
  repetitionDecay?: number
  repeat?: 'allow' | 'exclude'
  budget: { documents: number } | { tokens: number }
  price?: { weight: number; bound?: number }
  guards?: NaiveGuards
  strategy?: NaiveStrategy
}
export interface NaiveRound {
  round: number
  weights: Record<string, number[]>
  theta: Record<string, number>
  actorRewards: Record<string, number | null>
  /** By cell, the last actor's subcategories varying fastest; left out: the configuration has none. */
  residuals?: number[]
  documents: number
  tokens: number
  ids: string[]
}

const mask = (1n << 64n) - 1n

function splitmix64(x: bigint): bigint {
  let z = (x + 0x9e3779b97f4a7c15n) & mask
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask
  return (z ^ (z >> 31n)) & mask
}

const modulo = (a: bigint, m: bigint) => ((a % m) + m) % m

export function naiveKey(id: bigint, seed: bigint): bigint {
  const place = splitmix64(id)
  const b = place / 2n ** 58n
  return modulo((place % 2n ** 58n) - splitmix64((seed + b) % 2n ** 64n), 2n ** 58n) * 2n ** 6n + b
}

const naiveOrderKey = (id: bigint, seed: bigint) => splitmix64(id ^ seed)

export function naiveSeed(seed: number | string, round: number, purpose: string): bigint {
  const hash = createHash('sha256').update(`${seed}:${round}:${purpose}`).digest()
  let value = 0n
  for (let i = 7; i >= 0; i--) value = value * 256n + BigInt(hash[i]!)
  return value
}

const point = 400n

/** exp by its plain series in 400-bit fixed point; Number() of a BigInt and the division by a power of two round no more than once. */
export function naiveExp(x: number): number {
  let fixed = 0n
  for (let rest = x, shift = point; rest !== 0; rest = (rest - Math.trunc(rest)) * 2 ** 30, shift -= 30n) {
    fixed += BigInt(Math.trunc(rest)) << shift
  }
  return Number(naiveExpFixed(fixed)) / 2 ** 400
}

export function naiveExpFixed(fixed: bigint): bigint {
  let sum = 0n
  for (let n = 1n, term = 1n << point; term !== 0n && term !== -1n; term = (term * fixed) / (n++ << point)) sum += term
  return sum
}

const ascending = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0)

export function byKey<T extends { docId: string }>(documents: T[], seed: bigint, keyOf = naiveKey): T[] {
  return documents
    .map((document) => ({ document, key: keyOf(BigInt(document.docId), seed), id: BigInt(document.docId) }))
    .sort((a, b) => ascending(a.key, b.key) || ascending(a.id, b.id))
    .map(({ document }) => document)
}

/** A price on other text. */
function priceOf({ price }: NaiveConfig, { reward, other }: NaiveReward): number {
  if (price === undefined) return reward
  const growth = -other! - (price.bound ?? 0)
  return growth > 0 ? reward - price.weight * growth : reward
}

/**
 * @param corpus the documents, or those that a round sees, where the corpus grows
 * @param positions m of each selection, or m as a later round knows it
 * @returns the rounds, or the text 'normalization' where a sum is 0 or not finite
 */
export function naiveRun(
  config: NaiveConfig,
  corpus: NaiveDocument[] | ((round: number) => NaiveDocument[]),
  rewards: NaiveReward[],
  roundNumbers: number[],
  positions: Record<number, number> | ((round: number, at: number) => number | undefined) = {},
): NaiveRound[] | 'normalization' {
  const names = Object.keys(config.actors)
  const eta = (name: string) => config.actors[name]!.eta ?? 0.1
  const size = (name: string) => config.actors[name]!.subcategories.length
  let theta = Object.fromEntries(names.map((name) => [name, config.actors[name]!.initialTheta ?? 1 / names.length]))
  const weights = Object.fromEntries(
    names.map((name) => [name, config.actors[name]!.initialWeights ?? Array(size(name)).fill(1 / size(name))]),
  ) as Record<string, number[]>
  const ever = Object.fromEntries(names.map((name) => [name, new Set<number>()]))
  const mOf = (round: number, at: number) => (typeof positions === 'function' ? positions(round, at) : positions[round])
  const residuals = new Map<string, number>()
  const rounds: NaiveRound[] = []

  for (const round of [0, ...roundNumbers]) {
    const documents = typeof corpus === 'function' ? corpus(round) : corpus
    const reads = new Map<string, number>()
    for (const { round: earlier, ids } of rounds) {
      const [n, m = n] = [ids.length, mOf(earlier, round)]
      for (const [i, docId] of ids.entries()) {
        if (i < m) reads.set(docId, (reads.get(docId) ?? 0) + Math.floor((m - i - 1) / n) + 1)
      }
    }
    const byId = new Map(documents.map((document) => [document.docId, document]))
    let actorRewards: Record<string, number | null> = Object.fromEntries(names.map((name) => [name, null]))
    if (round > 0) {
      // 2. The first of several counts; documents ascending within an actor, actors in configuration order.
      const accepted = names.map((name) => {
        const first = new Map<string, number>()
        for (const reward of rewards) {
          if (reward.round === round && reward.actor === name && !first.has(reward.docId))
            first.set(reward.docId, priceOf(config, reward))
        }
        return [...first].sort((a, b) => ascending(BigInt(a[0]), BigInt(b[0])))
      })
      // 3. Transform.
      const raw = accepted.flat().map(([, reward]) => reward)
      let transform = (r: number) => r
      const kind = config.rewardTransform ?? { kind: 'identity' }
      if (kind.kind === 'exp') transform = (r) => naiveExp((kind.scale ?? 0.5) * r)
      if (kind.kind === 'standardize') {
        const m = raw.reduce((sum, r) => sum + r, 0) / raw.length
        const s = Math.sqrt(raw.reduce((sum, r) => sum + (r - m) * (r - m), 0) / raw.length)
        transform = (r) => (s === 0 ? 0 : (r - m) / s)
      }
      const joint = config.collaboration === 'joint' ? naiveJoint(config, documents, accepted, transform) : undefined
      for (const [a, name] of names.entries()) {
        const perSubcategory: number[][] = Array.from({ length: size(name) }, () => [])
        for (const [docId, reward] of accepted[a]!)
          perSubcategory[byId.get(docId)!.labels[name]!]!.push(transform(reward))
        const means =
          joint?.weights[name] ??
          perSubcategory.map((list) => (list.length === 0 ? null : list.reduce((sum, r) => sum + r, 0) / list.length))
        let w = weights[name]!.map((old, j) => {
          if (means[j] === null) return old
          ever[name]!.add(j)
          return config.update === 'additive'
            ? old + eta(name) * means[j]!
            : (1 - eta(name)) * old + eta(name) * means[j]!
        })
        if (config.unrewarded === 'mean' && ever[name]!.size > 0) {
          const have = w.filter((_, j) => ever[name]!.has(j))
          const mean = have.reduce((sum, x) => sum + x, 0) / have.length
          w = w.map((x, j) => (ever[name]!.has(j) ? x : mean))
        }
        if (config.normalize === 'sum') {
          const sum = w.reduce((total, x) => total + x, 0)
          if (sum === 0 || !Number.isFinite(sum)) return 'normalization'
          w = w.map((x) => x / sum)
        }
        weights[name] = w
        // 4. Eq. 7.
        const products = means.flatMap((mean, j) => (mean === null ? [] : [w[j]! * mean]))
        actorRewards = {
          ...actorRewards,
          [name]:
            joint !== undefined || products.length === 0
              ? null
              : products.reduce((sum, x) => sum + x, 0) / products.length,
        }
      }
      for (const [cell, residual] of joint?.residuals ?? []) {
        const [old, step] = [residuals.get(cell) ?? 0, config.joint?.cells?.eta ?? 0.1]
        residuals.set(cell, config.update === 'additive' ? old + step * residual : (1 - step) * old + step * residual)
      }
      const have = names.filter((name) => actorRewards[name] !== null)
      const mean = have.reduce((sum, name) => sum + actorRewards[name]!, 0) / have.length
      theta = Object.fromEntries(
        names.map((name) => [
          name,
          config.theta !== 'fixed' && have.includes(name)
            ? theta[name]! + eta(name) * (actorRewards[name]! - mean)
            : theta[name]!,
        ]),
      )
      if (config.normalize === 'sum' && config.theta !== 'fixed') {
        const sum = names.reduce((total, name) => total + theta[name]!, 0)
        if (sum === 0 || !Number.isFinite(sum)) return 'normalization'
        theta = Object.fromEntries(names.map((name) => [name, theta[name]! / sum]))
      }
    }
    // 5. Score.
    const collaboration = config.collaboration ?? 'collaborative'
    const weighted = (document: NaiveDocument): number => {
      if (round === 0 && (config.firstSelection ?? 'random') === 'random') return 0
      const w = (name: string) => weights[name]![document.labels[name]!]!
      let s = 0
      if (collaboration === 'joint') {
        for (const name of names) s += 1 * w(name)
        if (config.joint?.cells) s += residuals.get(naiveCell(config, document)) ?? 0
      } else if (collaboration === 'collaborative') for (const name of names) s += theta[name]! * w(name)
      else if (collaboration === 'competitive') {
        const best = names.reduce((a, b) => (theta[b]! > theta[a]! ? b : a))
        s = theta[best]! * w(best)
      } else s = w(collaboration.slice('single:'.length))
      return s
    }
    const decay = (s: number, document: NaiveDocument): number => {
      const c = 1 + (config.repetitionDecay ?? 0) * (reads.get(document.docId) ?? 0)
      return s >= 0 ? s / c : s * c
    }
    // 6. Select.
    const seed = naiveSeed(config.seed, round, 'select')
    const taken = naiveSelect({
      strategy: config.strategy ?? {},
      documents,
      subcategoriesOf: (name) => config.actors[name]!.subcategories,
      actors: names,
      budget: config.budget,
      seed,
      actorsScore: weighted,
      decay,
      guards: config.guards,
      unread: (document) =>
        (config.repeat !== 'exclude' || !reads.get(document.docId)) &&
        (reads.get(document.docId) ?? 0) < (config.guards?.repetitions?.most ?? 1e9),
    })
    const tokens = taken.reduce((sum, document) => sum + document.tokens, 0)
    // 7. Emit.
    const ids = byKey(taken, naiveSeed(config.seed, round, 'order'), naiveOrderKey).map(({ docId }) => docId)
    rounds.push({
      ...{ round, weights: structuredClone(weights), theta, actorRewards, documents: ids.length, tokens, ids },
      ...(config.joint?.cells && { residuals: naiveCells(config).map((cell) => residuals.get(cell) ?? 0) }),
    })
  }
  return rounds
}
