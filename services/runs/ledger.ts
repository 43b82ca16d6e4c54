import { type ActorChange, runTopics, topics, type Work } from '../../schemas/index.ts'
import { Ledger, type LedgerRow, type LedgerTotals, totalsOf } from '../../topologies/ledger/ledger.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { readTopic } from './recorded.ts'

/** What runs have cost, in FLOPs. */
export interface LedgerOfRuns {
  readonly rows: readonly LedgerRow[]
  /** As Table 6 of the paper counts. */
  readonly tableSix: LedgerTotals
  /** With everything that Table 6 leaves out but the training. */
  readonly everything: LedgerTotals
  /** The training and its evaluations. */
  readonly training: number
}

type Ports = Pick<Runtime, 'kafka' | 'codec'>

/** A run, with the labels that its actors were given while it was live. */
export type ChargedRun = Pick<RunConfig, 'name' | 'labelers'> & {
  readonly given?: readonly Pick<ActorChange, 'actor' | 'labelerVersion'>[]
}

/** The work of these runs and what they share, each piece once. */
export async function readLedger(runtime: Ports, runs: readonly ChargedRun[]): Promise<Ledger> {
  const existing = new Set(await runtime.kafka.topicNames())
  const ledger = new Ledger()
  for (const { name } of [topics.work, ...runs.map((run) => runTopics(run.name).work)]) {
    if (!existing.has(name)) continue
    for (const { value } of await readTopic(runtime, name)) ledger.apply(value as Work)
  }
  return ledger
}

/** What some runs have cost together: work that they share counts once. */
export function ledgerOf(ledger: Ledger, runs: readonly ChargedRun[]): LedgerOfRuns {
  const rows = ledger.rows((work) => runs.some((run) => isFor(run, work)))
  return {
    rows,
    tableSix: totalsOf(rows, 'flopsTableSix'),
    everything: totalsOf(rows, 'flops'),
    training: rows.reduce((sum, { phase, flops }) => sum + (phase === 'training' ? flops : 0), 0),
  }
}

/** A run is charged with its own work, with the labels of its actors' versions, and with what was booked for all runs. */
function isFor({ name, labelers, given = [] }: ChargedRun, work: Work): boolean {
  if (work.run !== null) return work.run === name
  if (work.purpose !== 'labels') return true
  const versions = [...Object.entries(labelers), ...given.map((one) => [one.actor, one.labelerVersion] as const)]
  return versions.some(([actor, version]) => work.subject === labelsSubject(actor, version))
}

/** How labels are named in the ledger. */
export const labelsSubject = (actor: string, version: string): string => `${actor} ${version}`
