import type { Checkpoint, Progress } from '../../../schemas/index.ts'
import { type Correction, type Edge, settle } from '../../../topologies/exposure/account.ts'
import { lineageOf } from '../../../topologies/exposure/lineage.ts'
import type { Runtime } from '../../connections/connections.ts'
import { Exposures, type ReadOfRound } from '../../corpus/exposures.ts'
import { type FillInputs, fillExposures, type RoundToFill } from './fill.ts'

/** A report of a checkpoint. */
export type Report = Progress & { readonly checkpoint: Checkpoint }

/** What was read of a round's selection. */
export interface TrainedRound {
  readonly round: number
  /** Of the selection. */
  readonly selected: number
  /** Documents passed, again and again if there are fewer. */
  readonly read: number
  readonly stepFirst: number
  readonly stepLast: number
  /** Tokens trained on. */
  readonly tokens: number
}

export interface AccountInputs extends FillInputs {
  readonly runtime: Runtime
}

/** What a checkpoint's model has read, as sums can be asked of it. */
export interface Account {
  readonly exposures: Exposures
  readonly rounds: readonly (TrainedRound & RoundToFill)[]
  readonly reads: readonly ReadOfRound[]
  readonly cells: Awaited<ReturnType<Exposures['byCell']>>
  /** What is to be added to the tokens of single documents; undefined: the tokens do not add up. */
  readonly corrections: Awaited<ReturnType<typeof correctionsOf>>
}

/** Puts what was read up to a checkpoint into the table of exposures, by its run's log: what other checkpoints have put there stays. */
export async function exposuresTo(
  inputs: AccountInputs,
  report: Report,
): Promise<Pick<Account, 'exposures' | 'rounds'>> {
  const { runtime, run, training } = inputs
  const perStep = report.step === 0 ? 0 : report.tokens / report.step
  const rounds = lineageOf(training, report).map(({ round, read, ...steps }) => {
    const manifest = training.manifests.find((one) => one.round === round)!
    const tokens = (steps.stepLast - steps.stepFirst) * perStep
    return { manifest, round, selected: manifest.documents, read: read ?? manifest.documents, ...steps, tokens }
  })
  const exposures = new Exposures(runtime.clickHouse.sql, run.name)
  await fillExposures(inputs, exposures, rounds)
  return { exposures, rounds }
}

/** The account of a checkpoint. */
export async function accountOf(inputs: AccountInputs, report: Report): Promise<Account> {
  const { exposures, rounds } = await exposuresTo(inputs, report)
  const reads = rounds.map(({ round, selected, read }): ReadOfRound => {
    const timesAll = selected === 0 ? 0 : Math.floor(read / selected)
    return { round, timesAll, onceMore: read - timesAll * selected }
  })
  const cells = await exposures.byCell(reads)
  return { exposures, rounds, reads, cells, corrections: await correctionsOf(exposures, rounds, cells) }
}

/** What edges of rounds add or take away, by document; undefined: it does not add up. */
async function correctionsOf(
  exposures: Exposures,
  rounds: readonly (TrainedRound & RoundToFill)[],
  cells: Awaited<ReturnType<Exposures['byCell']>>,
) {
  const all: { round: number; tokens: number; doc: bigint; labels: number[] }[] = []
  for (const { round, selected, read, tokens: trained } of rounds) {
    const passed = cells.reduce((sum, cell) => (cell.round === round ? sum + cell.tokens : sum), 0)
    const edges =
      selected === 0
        ? []
        : await exposures.at(round, [...new Set([0, (read + selected - 1) % selected, read % selected])])
    const at = (index: number): Edge | null => edges.find((edge) => edge.index === index) ?? null
    const last = read === 0 ? null : at((read - 1) % selected)
    const corrections = settle({ passed, trained, first: at(0), last, next: at(read % selected) })
    if (corrections === undefined) return undefined
    for (const { index, tokens } of corrections satisfies readonly Correction[]) {
      const { doc, labels } = edges.find((edge) => edge.index === index)!
      all.push({ round, tokens, doc, labels })
    }
  }
  return all
}
