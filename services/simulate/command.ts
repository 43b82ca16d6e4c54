import { takenOverInWords } from '../../topologies/rounds/other-text.ts'
import { systemClock } from '../runtime/clock.ts'
import { createLog } from '../runtime/log.ts'
import { Counter, formatCount, type Terminal } from '../terminal/progress.ts'
import { type SimulateOptions, type SimulateSummary, type SimulationOptions, simulate } from './simulate.ts'

export interface SimulateContext {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: Terminal
}

/** `winnow simulate`: progress on stderr, a summary on stdout. Rejected lines do not make it fail. */
export const simulateCommand = (
  { json, ...options }: SimulateOptions & { json?: boolean },
  context: SimulateContext,
): Promise<void> =>
  tellSimulation({ ...options, json }, context, (onProgress, log) => simulate({ ...options, onProgress }, log))

/** Runs a simulation with progress on stderr and a summary on stdout. */
export async function tellSimulation(
  { json, out }: { json?: boolean | undefined; out: string },
  { stdout, stderr }: SimulateContext,
  work: (onProgress: SimulationOptions['onProgress'], log: ReturnType<typeof createLog>) => Promise<SimulateSummary>,
): Promise<void> {
  const log = createLog('simulate', process.env.WINNOW_LOG_LEVEL ?? 'warn')
  const counters = {
    reading: new Counter(stderr, systemClock, { doing: 'reading labels', unit: 'documents' }),
    selecting: new Counter(stderr, systemClock, { doing: 'selecting', unit: 'rounds' }),
  }
  const summary = await work((doing, done, total) => counters[doing].at(done, total), log).finally(() => {
    for (const counter of Object.values(counters)) counter.clear()
  })
  const { documents, rounds, rejected } = summary
  const lines = Object.values(rejected).reduce((sum, count) => sum + count, 0)
  const inWords = `simulated ${rounds.length} rounds over ${formatCount(documents)} documents into ${out}; ${lines} lines rejected`
  const natural = rounds.flatMap(({ round, naturalShare }) =>
    naturalShare === undefined ? [] : [{ round, naturalShare }],
  )
  stdout.write(`${json ? JSON.stringify({ ...summary, out }) : [inWords, ...takenOverInWords(natural)].join('\n')}\n`)
}
