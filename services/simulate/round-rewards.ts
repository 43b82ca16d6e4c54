import type { MemoryCorpus } from '../../topologies/selection/memory-corpus.ts'
import { wordsOf } from '../../topologies/selection/mix.ts'
import type { RewardColumns } from '../../topologies/selection/rewards.ts'
import type { RewardSpill } from './reward-spill.ts'

/** A round's accepted rewards by actor, documents ascending by id, in columns outside the JavaScript heap. */
export function rewardsOf(round: number, actors: number, corpus: MemoryCorpus, spill: RewardSpill): RewardColumns[] {
  const ids = Array.from({ length: actors }, (_, a) => new BigUint64Array(spill.count(round, a)))
  const rewardOf = Array.from({ length: actors }, (_, a) => new Float64Array(ids[a]!.length === 0 ? 0 : corpus.size))
  const filled = new Uint32Array(actors)
  spill.read(round, (actor, document, reward) => {
    ids[actor]![filled[actor]!++] = corpus.idOf(document)
    rewardOf[actor]![document] = reward
  })
  return ids.map((column, actor) => columnsOf(column.sort(), actor, rewardOf[actor]!, corpus))
}

function columnsOf(ids: BigUint64Array, actor: number, rewardOf: Float64Array, corpus: MemoryCorpus): RewardColumns {
  const words = wordsOf(ids)
  const subcategories = new Uint32Array(ids.length)
  const rewards = new Float64Array(ids.length)
  for (let i = 0; i < ids.length; i++) {
    const document = corpus.find(words[i * 2]!, words[i * 2 + 1]!)
    subcategories[i] = corpus.labelsOf(document)[actor]!
    rewards[i] = rewardOf[document]!
  }
  return { subcategories, rewards }
}
