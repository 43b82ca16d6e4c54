import { formatFixed } from '../../terminal/table.ts'
import type { Divergence, RewardsThatDiffer } from './divergence.ts'

/** Of a list, the first this many are named. */
const namedMax = 12

/** Where two runs part, and what led to it, a line each; the first is the round and what differs in it. */
export function divergenceLines(divergence: Divergence, names: readonly [string, string]): string[] {
  const { rewards } = divergence
  const causes = [
    ...causesBesideRewards(divergence, names),
    ...rewards.slice(0, namedMax).map(rewardsInWords),
    ...(rewards.length > namedMax ? [`rewards of ${rewards.length - namedMax} more subcategories`] : []),
  ]
  const none = 'nothing that the log has of it differs: one of the two was computed by other code'
  return [`round ${divergence.round}: ${divergence.what}`, ...(causes.length === 0 ? [none] : causes)]
}

/** What led to it apart from rewards, a line each. */
export function causesBesideRewards(
  { settings, actors, corpus, checkpoints, read }: Divergence,
  names: readonly [string, string],
): string[] {
  const shown = (value: unknown) => (value === undefined ? 'not set' : JSON.stringify(value))
  return [
    ...settings.slice(0, namedMax).map(({ key, here, there }) => `setting ${key}: ${shown(here)} and ${shown(there)}`),
    ...(settings.length > namedMax ? [`${settings.length - namedMax} more settings`] : []),
    ...actors.flatMap((some, side) => some.map((change) => `only ${names[side]} has the change: ${change}`)),
    ...(corpus ? ['the corpus that the round saw: other documents or labels'] : []),
    ...(checkpoints === null
      ? []
      : [`the checkpoint that rewards were asked at: ${checkpoints.map((one) => one ?? 'none').join(' and ')}`]),
    ...(read === null
      ? []
      : [`how much of the previous selection had been read: ${read.map((one) => one ?? 'not known').join(' and ')}`]),
  ]
}

export const offsetsInWords = (offsets: RewardsThatDiffer['offsets'][0]): string =>
  offsets.map(({ partition, first, last }) => `[${partition}]@${first}-${last}`).join(' ') || 'none'

function rewardsInWords({ actor, subcategory, common, others, alone, offsets, first }: RewardsThatDiffer): string {
  const [rewardA, rewardB] = first.rewards.map((reward) => formatFixed(reward, 6))
  const [atA, atB] = first.at.map((at) => at ?? 'nowhere')
  const only = alone[0] + alone[1] === 0 ? '' : `, ${alone[0]} and ${alone[1]} documents of only one`
  return `rewards of ${actor} ${subcategory}: ${others} of ${common} of the same documents differ${only}, at offsets ${offsetsInWords(offsets[0])} and ${offsetsInWords(offsets[1])}; first document ${first.docId}: ${rewardA} (${atA}) and ${rewardB} (${atB})`
}
