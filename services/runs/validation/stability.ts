import { type RankedRound, type Stability, stabilityOf } from '../../../topologies/evaluation/stability.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import type { AcceptedRewards } from '../../../topologies/rounds/ledger.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { readRecordedRun } from '../recorded.ts'
import { RoundLedgers } from '../replay/folded.ts'

/**
 * How far the rankings of subcategories stay between consecutive selections of a run, from its log alone.
 * @throws WinnowError CONFIGURATION if the run has selected nothing yet
 */
export async function stabilityOfRun(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  run: RunConfig,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Stability[]> {
  const log = await readRecordedRun(runtime, run.name)
  const configuration = configurationBy(run, log.opened)
  await using ledgers = new RoundLedgers(runtime, run, log)
  const rounds: RankedRound[] = []
  for (const [done, { round, actors: names, weights }] of log.manifests.entries()) {
    onProgress(done, log.manifests.length)
    const closed = log.closed.find((one) => one.round === round)
    const ledger = closed === undefined ? undefined : await ledgers.at(round)
    const accepted = ledger?.accepted(names, closed!.rewardOffsets) ?? []
    const { actors } = configuration.at(round).selection
    for (const [a, actor] of names.entries()) {
      const { subcategories } = actors.find(({ name }) => name === actor)!
      const rewards = meansOf(accepted[a], subcategories.length)
      rounds.push({ round, actor, subcategories, weights: weights[a]!, rewards })
    }
  }
  return stabilityOf(rounds)
}

function meansOf(accepted: AcceptedRewards | undefined, subcategories: number): (number | null)[] {
  const sums = Array.from({ length: subcategories }, () => ({ sum: 0, count: 0 }))
  for (const [i, j] of accepted?.subcategories.entries() ?? []) {
    sums[j]!.sum += accepted!.rewards[i]!
    sums[j]!.count++
  }
  return sums.map(({ sum, count }) => (count === 0 ? null : sum / count))
}
