import type { Reward } from '../../schemas/index.ts'
import type { Delivered } from '../node.ts'
import { type RoundLedger, refusals } from '../rounds/ledger.ts'
import type { Decisions } from './decisions.ts'

/** Why a reward goes to dead letters: a stable word, and a sentence. */
export interface Refusal {
  readonly reason: string
  readonly message: string
}

/**
 * Counts a reward in the ledger of the last round that was opened.
 * @param run name of the console's run
 * @returns undefined unless it is refused
 */
export function countReward(
  { value: reward, partition, offset }: Delivered<Reward>,
  run: string,
  { opened, closed: allClosed }: Pick<Decisions, 'opened' | 'closed'>,
  roundOpen: number,
  ledger: RoundLedger | undefined,
): Refusal | undefined {
  if (reward.run !== run || !opened.has(reward.round)) {
    const message = `reward for round ${reward.round} of run ${reward.run}, which is not open`
    return { reason: 'unknown-round', message }
  }
  const closed = allClosed.get(reward.round)
  if (closed?.rewardOffsets.some((limit) => limit.partition === partition && offset < limit.offsetNext)) {
    // After a restart the rewards of a round that is still to be evaluated come again.
    if (reward.round === roundOpen) ledger!.accept(reward, partition, offset)
    return undefined
  }
  const verdict = closed === undefined ? ledger!.accept(reward, partition, offset) : 'late'
  const refusal = refusals[verdict]
  if (refusal === undefined) return undefined
  const what = `reward of document ${reward.docId} for actor ${reward.actor} in round ${reward.round}`
  return { reason: verdict, message: `${what} ${refusal}` }
}
