import type { RoundClosed, RoundOpened } from '../../schemas/index.ts'

/**
 * How a round closes: once every request is answered, or at its deadline.
 * @param missing requests without an answer
 * @param positions of each partition of the topic of rewards, how far it has been read
 * @returns undefined: not yet
 */
export function closeRound(
  { run, round, deadlineMs }: RoundOpened,
  missing: number,
  nowMs: number,
  topic: string,
  positions: ReadonlyMap<number, number>,
): RoundClosed | undefined {
  const late = deadlineMs !== null && nowMs >= deadlineMs
  if (missing > 0 && !late) return undefined
  return {
    run,
    round,
    reason: missing === 0 ? 'answered' : 'deadline',
    rewardOffsets: [...positions]
      .map(([partition, offsetNext]) => ({ topic, partition, offsetNext }))
      .sort((a, b) => a.partition - b.partition),
    missing,
  }
}
