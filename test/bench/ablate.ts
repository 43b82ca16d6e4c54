/**
 * Refolds of a run of the paper's size by other configurations: 5 rounds of 145,000 rewards, three actors, 50 configurations; and rewards a second
 * of one refold. Run by hand: node test/bench/ablate.ts.
 */
import { Refolding, type RoundRewards } from '../../topologies/ablation/refold.ts'
import { asRecorded } from '../../topologies/ablation/variants.ts'
import { Uniforms } from '../../topologies/fits/uniforms.ts'
import { parseSelectionConfig } from '../../topologies/selection/config.ts'
import { seedOf } from '../../topologies/selection/u64.ts'

const sizes = { quality: 5, domain: 7, topic: 13 }
const [rounds, rewardsPerRound, configurations] = [5, 145_000, 50]
const actors = Object.fromEntries(
  Object.entries(sizes).map(([name, size]) => [
    name,
    { subcategories: Array.from({ length: size }, (_, j) => `s${j}`) },
  ]),
)
const config = parseSelectionConfig({
  seed: 7,
  actors,
  budget: { documents: 1 },
  rewardTransform: { kind: 'standardize' },
})
const uniforms = new Uniforms(seedOf(1, 0, 'validate'))
const recorded = Array.from({ length: rounds }, (_, k): RoundRewards => {
  const columns = Object.values(sizes).map((size) => {
    const count = Math.round(rewardsPerRound / Object.keys(sizes).length)
    return {
      subcategories: Uint16Array.from({ length: count }, (_, i) => i % size),
      rewards: Float64Array.from({ length: count }, () => uniforms.normal()),
    }
  })
  return { round: k + 1, actors: columns }
})
const began = performance.now()
for (let i = 0; i < configurations; i++) {
  const eta = (i + 1) / configurations
  const actors = config.actors.map((actor) => ({ ...actor, eta }))
  const refolding = new Refolding(asRecorded({ ...config, actors }))
  for (const round of recorded) refolding.add(round)
}
const seconds = (performance.now() - began) / 1000
const rewards = rounds * rewardsPerRound
console.log({ configurations, rewards, seconds, rewardsPerSecond: Math.round((configurations * rewards) / seconds) })
