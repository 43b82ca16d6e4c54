import { systemClock } from '../runtime/clock.ts'
import { createLog } from '../runtime/log.ts'
import { Counter, formatCount, type Terminal } from '../terminal/progress.ts'
import { type SimulateOptions, simulate } from './simulate.ts'

export interface SimulateContext {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: Terminal
}

/** `winnow simulate`: progress on stderr, a summary on stdout. Rejected lines do not make it fail. */
export async function simulateCommand(
  { json, ...options }: SimulateOptions & { json?: boolean },
  { stdout, stderr }: SimulateContext,
): Promise<void> {
  const log = createLog('simulate', process.env.WINNOW_LOG_LEVEL ?? 'warn')
  const counters = {
    reading: new Counter(stderr, systemClock, { doing: 'reading labels', unit: 'documents' }),
    selecting: new Counter(stderr, systemClock, { doing: 'selecting', unit: 'rounds' }),
  }
  const onProgress: SimulateOptions['onProgress'] = (doing, done, total) => counters[doing].at(done, total)
  const summary = await simulate({ ...options, onProgress }, log).finally(() => {
    for (const counter of Object.values(counters)) counter.clear()
  })
  const { documents, rounds, rejected } = summary
  const lines = Object.values(rejected).reduce((sum, count) => sum + count, 0)
  const inWords = `simulated ${rounds.length} rounds over ${formatCount(documents)} documents into ${options.out}; ${lines} lines rejected`
  stdout.write(`${json ? JSON.stringify({ ...summary, out: options.out }) : inWords}\n`)
}
