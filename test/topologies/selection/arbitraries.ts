import type { NaiveConfig, NaiveDocument, NaiveReward } from './naive.ts'
import type { NaiveGuards, NaiveRule } from './naive-guards.ts'
import type { NaiveStrategy } from './naive-strategy.ts'

/** A small seeded generator, so that a failing configuration is named by one number. */
export function generator(seed: number) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  return { next, below, pick: <T>(list: readonly T[]): T => list[below(list.length)]! }
}

export interface Scenario {
  config: NaiveConfig
  documents: NaiveDocument[]
  rewards: NaiveReward[]
  rounds: number[]
  positions: Record<number, number>
}

/** A random run: every option, few distinct weights and rewards (so that ties are everywhere), ids across 64 bits, gaps and empty rounds. */
export function scenario(seed: number, { strategies = false, guarded = false } = {}): Scenario {
  const { next, below, pick } = generator(seed)
  const names = ['quality', 'domain', 'topic', 'a b', 'x:y'].slice(0, 1 + below(5))
  const coarse = below(2) === 0
  const value = () => (coarse ? pick([-0.5, 0, 0.25, 0.5, 1]) : next() * 2 - 0.7)
  const config: NaiveConfig = {
    seed: pick([below(1000), -below(50), String(2n ** 64n + BigInt(below(100))), '0']),
    actors: {},
    budget: { documents: 1 },
  }
  for (const name of names) {
    const size = 1 + below(4)
    config.actors[name] = { subcategories: Array.from({ length: size }, (_, j) => `s${j}`) }
    if (below(2)) config.actors[name].eta = pick([0, 0.1, 0.5, 1])
    if (below(2)) config.actors[name].initialWeights = Array.from({ length: size }, value)
    if (below(2)) config.actors[name].initialTheta = value()
  }
  if (below(2)) config.update = pick(['ema', 'additive'])
  if (below(3)) {
    config.rewardTransform = pick([
      { kind: 'identity' },
      { kind: 'exp' },
      { kind: 'exp', scale: -1.25 },
      { kind: 'standardize' },
    ])
  }
  if (below(3) === 0) config.normalize = pick(['none', 'sum'])
  if (below(2)) config.collaboration = pick(['collaborative', 'competitive', `single:${pick(names)}`])
  if (below(5) === 0) config.theta = 'fixed'
  if (below(4) === 0) {
    config.collaboration = 'joint'
    delete config.normalize
    if (below(2)) config.joint = { ridge: pick([1e-3, 1, 10]), weighting: pick(['answers', 'corpus']) }
    if (below(2)) config.joint = { ...config.joint, cells: pick([{}, { shrinkage: 0.5, eta: 0.5 }, { eta: 1 }]) }
  }
  if (below(2)) config.firstSelection = pick(['random', 'weights'])
  if (below(2)) config.unrewarded = pick(['keep', 'mean'])
  if (below(2)) config.repetitionDecay = pick([0, 0.1, 1])
  if (below(3) === 0) config.repeat = pick(['allow', 'exclude'])

  const documents: NaiveDocument[] = []
  const ids = new Set<bigint>([0n, 2n ** 64n - 1n, 2n ** 53n + 1n, 2n ** 32n])
  const count = pick([1, 2, 30, 120])
  while (ids.size < count)
    ids.add(below(2) ? BigInt(below(500)) : (BigInt(below(2 ** 32)) << 32n) | BigInt(below(2 ** 32)))
  for (const id of [...ids].slice(0, count)) {
    const labels = Object.fromEntries(names.map((name) => [name, below(config.actors[name]!.subcategories.length)]))
    documents.push({ docId: id.toString(), tokens: pick([0, 1, 7, below(1000)]), labels })
  }
  const total = documents.reduce((sum, { tokens }) => sum + tokens, 0)
  config.budget = pick<NaiveConfig['budget']>([
    { documents: pick([1, Math.ceil(count / 3), count, count * 10]) },
    { tokens: pick([1, Math.ceil(total / 3) || 1, total || 1, total * 10 + 1]) },
  ])

  const rounds = pick([[], [1], [1, 2, 3], [2, 5, 900], [1, 3, 4, 7]])
  const rewards: NaiveReward[] = []
  const positions: Record<number, number> = {}
  for (const round of rounds) {
    for (let i = below(40); i > 0; i--)
      rewards.push({ round, actor: pick(names), docId: pick(documents).docId, reward: value() })
  }
  for (const round of [0, ...rounds]) if (below(3) === 0) positions[round] = pick([0, 1, below(count * 3), count])
  if (strategies) {
    const spread = pick([() => pick([-1, 0, 2.5, 3]), () => next() * 5, () => (next() - 0.5) * 2 ** 33])
    for (const document of documents) document.scores = Object.fromEntries(names.map((name) => [name, spread()]))
    config.strategy = strategy(config, { next, below, pick })
  }
  const prices = generator(seed ^ 0x9e3779b9)
  if (prices.below(4) === 0) {
    config.price = prices.pick([{ weight: 1 }, { weight: 0.5, bound: 0.25 }, { weight: 3, bound: 0 }])
    for (const reward of rewards) reward.other = prices.pick([-1, -0.25, 0, 0.5, prices.next() * 2 - 1])
  }
  if (guarded) config.guards = guards(config, generator(seed ^ 0x51ed270b))
  return { config, documents, rewards: shuffled(rewards, below), rounds, positions }
}

/** Floors, caps and pins that can be had together, over one actor or several, and repetitions. */
export function guards({ actors }: NaiveConfig, { below, pick }: ReturnType<typeof generator>): NaiveGuards {
  const rules: NaiveRule[] = []
  for (const [actor, { subcategories }] of Object.entries(actors)) {
    let left = 1e6
    // The last has no guard, so that something may fill the rest.
    for (const subcategory of subcategories.slice(0, -1)) {
      const share = () => pick([0, 0.1, 0.25, 1 / 8, 0.333333, 0.5])
      const kind = pick(['floor', 'cap', 'pin', 'both', 'none'] as const)
      const [low, high] = [share(), share()].sort((a, b) => a - b) as [number, number]
      if (kind === 'none' || (kind !== 'cap' && low * 1e6 > left)) continue
      if (kind !== 'cap') left -= Math.round(low * 1e6)
      if (kind === 'both')
        rules.push({ kind: 'floor', actor, subcategory, share: low }, { kind: 'cap', actor, subcategory, share: high })
      else rules.push({ kind, actor, subcategory, share: kind === 'cap' ? high : low })
    }
  }
  return {
    rules: shuffled(rules, below),
    ...(below(3) === 0 && { repetitions: { most: pick([1, 2, 3]) } }),
    ...(below(2) && { other: { bound: 1, share: pick([0, 0.1, 0.333333, 0.5, 0.9, 1]) } }),
  }
}

/** A strategy, each part at random, so that every combination is met; scores, sizes and quotas that tie and fall short. */
export function strategy({ actors }: NaiveConfig, { next, below, pick }: ReturnType<typeof generator>): NaiveStrategy {
  const names = Object.keys(actors)
  const condition = (): NonNullable<NaiveStrategy['pool']>[number] => {
    const actor = pick(names)
    const [p, q] = [pick([0, 0.1, next()]), pick([1, 0.5, next()])]
    return pick<() => NonNullable<NaiveStrategy['pool']>[number]>([
      () => ({ tokensMin: pick([0, 1, 7, 500]) }),
      () => ({ actor, subcategories: actors[actor]!.subcategories.filter(() => below(3) > 0) }),
      () => ({ actor, scoreAbove: pick([-1, 0, 2.5, next() * 5]) }),
      () => ({ actor, quantiles: p < q ? [p, q] : [0, 1] }),
    ])()
  }
  const chosen: NaiveStrategy = {}
  if (below(2)) chosen.pool = Array.from({ length: below(3) }, condition)
  if (below(4)) {
    const label = { kind: 'label', actor: pick(names) } as const
    chosen.score = pick<NonNullable<NaiveStrategy['score']>>([
      { kind: 'actors' },
      { kind: 'zero' },
      label,
      { ...label, sign: -1 },
      { ...label, standardize: 'corpus' },
      { ...label, sign: -1, standardize: 'corpus' },
    ])
  }
  if (below(2)) {
    const actor = pick(names)
    const weights = actors[actor]!.subcategories.map(() => pick([0, 1, 0.5, next()]))
    chosen.mixture =
      below(2) && weights.some((weight) => weight > 0) ? { actor, weights } : { actor, proportional: true }
  }
  if (below(2)) chosen.sampler = pick([{ kind: 'top' }, { kind: 'gumbel', temperature: pick([0.5, 2, 1e-3, 1e9]) }])
  return chosen
}

export function shuffled<T>(list: readonly T[], below: (n: number) => number): T[] {
  const copy = [...list]
  for (let i = copy.length - 1; i > 0; i--) {
    const j = below(i + 1)
    ;[copy[i], copy[j]] = [copy[j]!, copy[i]!]
  }
  return copy
}
