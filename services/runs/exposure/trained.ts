import type { Checkpoint, Progress } from '../../../schemas/index.ts'
import { type Correction, type Edge, settle } from '../../../topologies/exposure/account.ts'
import { lineageOf } from '../../../topologies/exposure/lineage.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import type { Runtime } from '../../connections/connections.ts'
import { Exposures, type Readings, type ReadOfRound } from '../../corpus/exposures.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type FillInputs, fillExposures, type RoundToFill } from './fill.ts'
import { checkpointsOf, type RecordedTraining } from './training.ts'

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

export interface ReadingsOf extends Readings {
  readonly name: string
}

/** What a checkpoint's model has been trained on. Documents count as often as they were read, tokens as they were trained on. */
export interface Trained extends Readings {
  readonly run: string
  readonly checkpoint: Checkpoint
  /** Each once. */
  readonly distinct: number
  readonly rounds: readonly TrainedRound[]
  readonly times: readonly { times: number; documents: number }[]
  /** By actor, its subcategories in order. */
  readonly actors: readonly { actor: string; subcategories: readonly ReadingsOf[] }[]
  readonly sources: readonly ReadingsOf[]
  /**
   * Whether sums of tokens add up to what was trained on, to the token. If not, they are sums of what ingest counted, which was not by the trainer's
   * tokenizer.
   */
  readonly exact: boolean
}

/** The report of a checkpoint. @param wanted its step, path or the beginning of its digest; left out: the last one */
export function checkpointMeant(training: RecordedTraining, run: string, wanted?: string) {
  const all = checkpointsOf(training)
  const found =
    wanted === undefined
      ? all.at(-1)
      : (all.find(({ checkpoint }) => `${checkpoint.step}` === wanted || checkpoint.path === wanted) ??
        all.find(({ checkpoint }) => wanted.length >= 8 && checkpoint.digest.startsWith(wanted)))
  if (found !== undefined) return found
  throw new WinnowError(
    'CONFIGURATION',
    `run ${run} has reported no checkpoint${wanted === undefined ? '' : ` ${wanted}`}`,
    {
      hint: `Steps of its checkpoints: ${all.map(({ checkpoint }) => checkpoint.step).join(', ') || 'none'}.`,
    },
  )
}

interface Inputs extends FillInputs {
  readonly runtime: Runtime
  /** Names of sources by number. */
  readonly sources: ReadonlyMap<number, string>
}

/**
 * What a checkpoint has read, by its run's log. The documents of what was read are put into a table first, once for all checkpoints: then an answer takes a
 * scan of it.
 */
export async function trainedOn(inputs: Inputs, report: Progress & { checkpoint: Checkpoint }): Promise<Trained> {
  const { runtime, run, training } = inputs
  const rounds = lineageOf(training, report).map(({ round, read, ...steps }) => {
    const manifest = training.manifests.find((one) => one.round === round)!
    const share = report.step === 0 ? 0 : (steps.stepLast - steps.stepFirst) / report.step
    return {
      manifest,
      round,
      selected: manifest.documents,
      read: read ?? manifest.documents,
      ...steps,
      tokens: share * report.tokens,
    }
  })
  const exposures = new Exposures(runtime.clickHouse.sql, run.name)
  await fillExposures(inputs, exposures, rounds)
  const reads = rounds.map(({ round, selected, read }): ReadOfRound => {
    const timesAll = selected === 0 ? 0 : Math.floor(read / selected)
    return { round, timesAll, onceMore: read - timesAll * selected }
  })
  const [cells, sources, times] = await Promise.all([
    exposures.byCell(reads),
    exposures.bySource(reads),
    exposures.byTimes(reads),
  ])
  const corrections = await correctionsOf(exposures, rounds, cells)
  const exact = corrections !== undefined
  const corrected = corrections ?? []
  const bySource = new Map(sources.map(({ source, ...sums }) => [source, { ...sums }]))
  for (const { source, tokens } of corrected) add(bySource, source, { documents: 0, tokens })
  const configuration = configurationBy(run, training.opened)
  const actors = new Map<string, Map<string, Readings>>()
  const count = (round: number, labels: readonly number[], sums: Readings) => {
    for (const [a, { name, subcategories }] of configuration.at(round).selection.actors.entries()) {
      const of = actors.get(name) ?? new Map(subcategories.map((one) => [one, { documents: 0, tokens: 0 }]))
      actors.set(name, of)
      add(of, subcategories[labels[a]!] ?? 'not labelled', sums)
    }
  }
  for (const { round, labels, ...sums } of cells) count(round, labels, sums)
  for (const { round, labels, tokens } of corrected) count(round, labels, { documents: 0, tokens })
  const all = [...bySource.values()]
  return {
    ...{ run: run.name, checkpoint: report.checkpoint, exact },
    documents: sum(all.map(({ documents }) => documents)),
    tokens: sum(all.map(({ tokens }) => tokens)),
    distinct: sum(times.map(({ documents }) => documents)),
    rounds: rounds.map(({ manifest: _, ...round }) => round),
    times,
    actors: [...actors].map(([actor, of]) => ({ actor, subcategories: named(of) })),
    sources: named(
      new Map([...bySource].map(([source, sums]) => [inputs.sources.get(source) ?? `source ${source}`, sums])),
    ).sort((a, b) => b.tokens - a.tokens || (a.name < b.name ? -1 : 1)),
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

function add<Key>(to: Map<Key, Readings>, key: Key, { documents, tokens }: Readings): void {
  const before = to.get(key) ?? { documents: 0, tokens: 0 }
  to.set(key, { documents: before.documents + documents, tokens: before.tokens + tokens })
}

const named = (of: ReadonlyMap<string, Readings>): ReadingsOf[] => [...of].map(([name, sums]) => ({ name, ...sums }))

/** What edges of rounds add or take away, by document; undefined: it does not add up. */
async function correctionsOf(
  exposures: Exposures,
  rounds: readonly (TrainedRound & RoundToFill)[],
  cells: Awaited<ReturnType<Exposures['byCell']>>,
) {
  const all: { round: number; tokens: number; source: number; labels: number[] }[] = []
  for (const { round, selected, read, tokens: trained } of rounds) {
    const passed = sum(cells.filter((cell) => cell.round === round).map(({ tokens }) => tokens))
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
      all.push({ round, tokens, source: Number(doc >> 40n), labels })
    }
  }
  return all
}
