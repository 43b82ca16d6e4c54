import { spearman } from '../fits/spearman.ts'
import { Uniforms } from '../fits/uniforms.ts'
import type { Seed } from '../selection/u64.ts'
import { type Interval, intervalOf } from './estimate.ts'

/** What leaving out a group of documents is expected to do to the reference loss, by their rewards, and what it did. */
export interface LeftOut {
  readonly predicted: number
  /** Of the reference loss after training without them, above that after training with them, in nats: positive if they helped. */
  readonly effect: number
}

/** Indices of documents in groups of `leave`, each document in at most one, drawn by the seed. */
export function disjointGroups(documents: number, leave: number, seed: Seed): number[][] {
  const uniforms = new Uniforms(seed)
  const order = Array.from({ length: documents }, (_, at) => at)
  for (let at = documents - 1; at > 0; at--) {
    const other = uniforms.below(at + 1)
    ;[order[at], order[other]] = [order[other]!, order[at]!]
  }
  const count = Math.floor(documents / leave)
  return Array.from({ length: count }, (_, group) =>
    order.slice(group * leave, (group + 1) * leave).sort((a, b) => a - b),
  )
}

/**
 * What rewards say of leaving a group out where training takes as many tokens of the other documents in its place: the sum, over its documents, of
 * their share of all tokens times their reward above the mean of the others, both by tokens. In the unit of rewards.
 */
export function predictedEffect(
  rewards: readonly number[],
  tokens: readonly number[],
  group: readonly number[],
): number {
  const of = (members: readonly number[]) => ({
    tokens: members.reduce((sum, at) => sum + tokens[at]!, 0),
    reward: members.reduce((sum, at) => sum + tokens[at]! * rewards[at]!, 0),
  })
  const left = new Set(group)
  const out = of(group)
  const rest = of(rewards.map((_, at) => at).filter((at) => !left.has(at)))
  if (out.tokens === 0 || rest.tokens === 0) return 0
  return (out.tokens / (out.tokens + rest.tokens)) * (out.reward / out.tokens - rest.reward / rest.tokens)
}

const replicates = 2000

/**
 * How alike the groups are ordered by what was predicted of them and by what they did: Spearman's rank correlation, with its 95% interval by
 * resampling the groups. Null where one side does not vary.
 */
export function agreementOf(groups: readonly LeftOut[], seed: Seed): Interval | null {
  const uniforms = new Uniforms(seed)
  const of = (some: readonly LeftOut[]) =>
    spearman(
      some.map(({ predicted }) => predicted),
      some.map(({ effect }) => effect),
    )
  const drawn = Float64Array.from(
    { length: 1 + replicates },
    (_, replicate) =>
      of(replicate === 0 ? groups : groups.map(() => groups[uniforms.below(groups.length)]!)) ?? Number.NaN,
  )
  return intervalOf(drawn)
}
