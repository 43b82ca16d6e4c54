import type { Checkpoint } from '../../../schemas/index.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import type { Readings } from '../../corpus/exposures.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type Account, type AccountInputs, accountOf, type Report, type TrainedRound } from './account-of.ts'
import { checkpointsOf, type RecordedTraining } from './training.ts'

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
   * Whether the tokens of documents add up to what was trained on, to the token. If not, they are sums of what ingest counted, which was not by the trainer's
   * tokenizer.
   */
  readonly addsUp: boolean
}

/** The report of a checkpoint. @param wanted its step, path or the beginning of its digest; left out: the last one */
export function checkpointMeant(training: RecordedTraining, run: string, wanted?: string): Report {
  const all = checkpointsOf(training)
  const found =
    wanted === undefined
      ? all.at(-1)
      : (all.find(({ checkpoint }) => `${checkpoint.step}` === wanted || checkpoint.path === wanted) ??
        all.find(({ checkpoint }) => wanted.length >= 8 && checkpoint.digest.startsWith(wanted)))
  if (found !== undefined) return { ...found.report, checkpoint: found.checkpoint }
  throw new WinnowError(
    'CONFIGURATION',
    `run ${run} has reported no checkpoint${wanted === undefined ? '' : ` ${wanted}`}`,
    {
      hint: `Steps of its checkpoints: ${all.map(({ checkpoint }) => checkpoint.step).join(', ') || 'none'}.`,
    },
  )
}

export interface TrainedInputs extends AccountInputs {
  /** Names of sources by number. */
  readonly sources: ReadonlyMap<number, string>
}

/**
 * What a checkpoint has read, by its run's log. The documents of what was read are put into a table first, once for all checkpoints: then an answer takes a
 * scan of it.
 */
export const trainedOn = async (inputs: TrainedInputs, report: Report): Promise<Trained> =>
  await sumsOf(inputs, report, await accountOf(inputs, report))

/** The sums of an account. */
export async function sumsOf(inputs: TrainedInputs, report: Report, account: Account): Promise<Trained> {
  const { run, training } = inputs
  const { exposures, rounds, reads, cells, corrections } = account
  const [sources, times] = await Promise.all([exposures.bySource(reads), exposures.byTimes(reads)])
  const corrected = corrections ?? []
  const bySource = new Map(sources.map(({ source, ...sums }) => [source, { ...sums }]))
  for (const { doc, tokens } of corrected) add(bySource, Number(doc >> 40n), { documents: 0, tokens })
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
    ...{ run: run.name, checkpoint: report.checkpoint, addsUp: corrections !== undefined },
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
