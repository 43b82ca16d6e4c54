import type { Evaluation } from '../../../schemas/index.ts'
import { evaluateSelection } from '../../../topologies/console/evaluating.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { RoundLedgers } from '../replay/folded.ts'
import { judgedRounds } from './rewarded-rounds.ts'

/**
 * What the selections of a run are worth, and what others would have been, by round. What the console has recorded is taken as it is: computing
 * it again gives the same bits.
 * @param on left out: the rewards that were held out, if the run holds some out, else those of the next round
 * @throws WinnowError CONFIGURATION if no round can be judged
 */
export async function evaluateRun(
  runtime: Runtime,
  recorded: RunConfig,
  on?: Evaluation['on'],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Evaluation[]> {
  const { rounds, log } = await judgedRounds(runtime, recorded, on)
  const evaluations: Evaluation[] = []
  await using ledgers = new RoundLedgers(runtime, recorded, log)
  for (const { selected, rewarded, history, recorded: known } of rounds) {
    onProgress(evaluations.length, rounds.length)
    if (known !== undefined) {
      evaluations.push(known)
      continue
    }
    const ledger = await ledgers.at(rewarded.opened.round)
    if (ledger === undefined) continue
    const round = { ...rewarded, ledger }
    evaluations.push(await evaluateSelection(selected, round, history, runtime.store, log.manifests))
  }
  return evaluations
}
