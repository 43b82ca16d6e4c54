import { asDocumentId } from '../../schemas/index.ts'
import type { SelectionConfig } from '../../topologies/selection/config.ts'
import { heldOutOf } from '../../topologies/selection/hold-out.ts'
import type { MemoryCorpus } from '../../topologies/selection/memory-corpus.ts'
import { wordsOf } from '../../topologies/selection/mix.ts'
import type { RewardColumns } from '../../topologies/selection/rewards.ts'
import type { RewardSpill } from './reward-spill.ts'

/**
 * A round's accepted rewards by actor, documents ascending by id, in columns outside the JavaScript heap; without those that the round holds
 * out.
 */
export function rewardsOf(
  config: SelectionConfig,
  round: number,
  corpus: MemoryCorpus,
  spill: RewardSpill,
): RewardColumns[] {
  const actors = config.actors.length
  const ids = Array.from({ length: actors }, (_, a) => new BigUint64Array(spill.count(round, a)))
  const rewardOf = Array.from({ length: actors }, (_, a) => new Float64Array(ids[a]!.length === 0 ? 0 : corpus.size))
  const filled = new Uint32Array(actors)
  spill.read(round, (actor, document, reward) => {
    ids[actor]![filled[actor]!++] = corpus.idOf(document)
    rewardOf[actor]![document] = reward
  })
  const isHeldOut = heldOutOf(config, round)
  const folded = (column: BigUint64Array) =>
    isHeldOut === undefined ? column : column.filter((id) => !isHeldOut(asDocumentId(id)))
  const isJoint = config.collaboration === 'joint'
  return ids.map((column, actor) => ({
    ...columnsOf(folded(column.sort()), actor, rewardOf[actor]!, corpus, isJoint),
    ...(isJoint && { held: corpus.heldBy(actor) }),
  }))
}

function columnsOf(
  ids: BigUint64Array,
  actor: number,
  rewardOf: Float64Array,
  corpus: MemoryCorpus,
  isJoint: boolean,
): RewardColumns {
  const labels: (readonly number[])[] = []
  const words = wordsOf(ids)
  const subcategories = new Uint32Array(ids.length)
  const rewards = new Float64Array(ids.length)
  for (let i = 0; i < ids.length; i++) {
    const document = corpus.find(words[i * 2]!, words[i * 2 + 1]!)
    const own = corpus.labelsOf(document)
    if (isJoint) labels.push(own)
    subcategories[i] = own[actor]!
    rewards[i] = rewardOf[document]!
  }
  return { subcategories, rewards, ...(isJoint && { labels }) }
}
