import { createLog } from '../runtime/log.ts'
import { type SimulateOptions, simulate } from './simulate.ts'

/** `winnow simulate`: runs it and logs a summary to stderr. Lines that were rejected do not make it fail. */
export async function simulateCommand(options: SimulateOptions): Promise<void> {
  const log = createLog('simulate')
  const { documents, rounds, rejected } = await simulate(options, log)
  const selected = Object.fromEntries(rounds.map((round) => [round.round, round.documents]))
  const lines = Object.values(rejected).reduce((sum, count) => sum + count, 0)
  const message = `simulated ${rounds.length} rounds over ${documents} documents into ${options.out}; ${lines} lines rejected`
  log.info({ documents, selected, rejected }, message)
}
