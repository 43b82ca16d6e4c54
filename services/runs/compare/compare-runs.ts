import { columnsOf, takingPart } from '../../../topologies/corpus-store.ts'
import type { RoundLedger } from '../../../topologies/rounds/ledger.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Corpus } from '../../../topologies/selection/corpus.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { compareSelections } from '../replay/compare.ts'
import { ledgerOf } from '../replay/replay.ts'
import { type ComparedRound, type ComparedRun, comparedRounds } from './compared-run.ts'
import { type Divergence, divergenceOf } from './divergence.ts'
import { type LossesAt, lossesAtEqualTokens } from './losses.ts'
import { type Both, type Overlap, overlapOf } from './overlap.ts'
import { selectedOf } from './selected.ts'

/** An actor in a round of two runs; null: one of them does not have it. */
export interface ComparedActor {
  readonly actor: string
  readonly theta: Both<number | null>
  readonly subcategories: readonly {
    readonly subcategory: string
    readonly weights: Both<number | null>
    /** Of the selection, by the labels of the first run. Null: the first run does not have it. */
    readonly documents: Both<number> | null
    readonly tokens: Both<number> | null
  }[]
}

export interface RoundOfTwo {
  readonly round: number
  readonly steps: Both<number>
  /** To the bit, and in the same order. */
  readonly same: boolean
  readonly firstDifference: string | null
  readonly overlap: Overlap
  readonly tokens: Both<number>
  readonly actors: readonly ComparedActor[]
  /** Loss on the reference when the round was opened; null: not evaluated there. */
  readonly referenceLoss: Both<number | null>
  /** Evaluations of the first run from this round's opening to before the next one's. */
  readonly losses: readonly LossesAt[]
  /** Of the first round that differs; null in all others. */
  readonly divergence: Divergence | null
}

export interface CompareOptions {
  /** Before each round, and after the last one. */
  readonly onProgress?: (done: number, total: number) => void
}

/** Two runs round by round: the rounds that both have selected. @throws WinnowError CONFIGURATION if there is none */
export async function compareRuns(
  runs: Both<ComparedRun>,
  { onProgress }: CompareOptions = {},
): Promise<readonly RoundOfTwo[]> {
  const [roundsA, roundsB] = [comparedRounds(runs[0]), comparedRounds(runs[1])]
  const pairs = roundsA.flatMap((one): Both<ComparedRound>[] => {
    const other = roundsB.find(({ manifest }) => manifest.round === one.manifest.round)
    return other === undefined ? [] : [[one, other]]
  })
  if (pairs.length === 0)
    throw new WinnowError('CONFIGURATION', `${runs[0].name} and ${runs[1].name} have no round in common yet`)
  const losses = lossesAtEqualTokens(runs[0].progress, runs[1].progress)
  const compared: RoundOfTwo[] = []
  for (const [i, rounds] of pairs.entries()) {
    onProgress?.(i, pairs.length)
    const [a, b] = [rounds[0].manifest, rounds[1].manifest]
    const [idsA, idsB] = await Promise.all([selectedOf(runs[0].runtime, a), selectedOf(runs[1].runtime, b)])
    const { same, firstDifference } = compareSelections(a, b, idsA, idsB)
    const overlap = await overlapOf(idsA, idsB, await corporaOf(runs, rounds))
    const isFirst = !same && compared.every((one) => one.same)
    const next = pairs[i + 1]?.[0].manifest.step ?? Number.POSITIVE_INFINITY
    compared.push({
      ...{ round: a.round, same, overlap, steps: [a.step, b.step], tokens: [a.tokens, b.tokens] },
      firstDifference: firstDifference ?? null,
      actors: actorsOf(rounds, overlap),
      referenceLoss: [lossAt(runs[0], a.step), lossAt(runs[1], b.step)],
      losses: losses.filter(({ step }) => step >= a.step && step < next),
      divergence: isFirst
        ? divergenceOf(runs, { what: firstDifference!, rounds, ledgers: await ledgersAt(runs, a.round) })
        : null,
    })
  }
  onProgress?.(pairs.length, pairs.length)
  return compared
}

/** Who knows the labels: the corpus as each round saw it, by the actors of the first run. */
async function corporaOf(runs: Both<ComparedRun>, [a, b]: Both<ComparedRound>): Promise<Both<Corpus>> {
  const columns = columnsOf(a.config)
  const view = ({ runtime }: ComparedRun, { config, manifest }: ComparedRound) =>
    runtime.store.view({ ...takingPart(config, manifest), columns, draws: false })
  const ofA = await view(runs[0], a)
  return [ofA, cellsOf(a.config) === cellsOf(b.config) ? await view(runs[1], b) : ofA]
}

const cellsOf = (run: RunConfig): string =>
  JSON.stringify(run.selection.actors.map(({ name, subcategories }) => [name, subcategories, run.labelers[name]]))

async function ledgersAt(runs: Both<ComparedRun>, round: number): Promise<Both<RoundLedger | undefined>> {
  const of = async ({ runtime, config, rewardsOf, log }: ComparedRun) =>
    await ledgerOf(runtime, config, log, round, rewardsOf)
  return [await of(runs[0]), await of(runs[1])]
}

function actorsOf([a, b]: Both<ComparedRound>, { cells }: Overlap): ComparedActor[] {
  const names = [...new Set([...a.manifest.actors, ...b.manifest.actors])]
  return names.map((actor) => {
    const sides = [a, b].map(({ manifest, config }) => ({
      at: manifest.actors.indexOf(actor),
      subcategories: config.selection.actors.find(({ name }) => name === actor)?.subcategories ?? [],
      manifest,
    }))
    const [ofA, ofB] = [sides[0]!, sides[1]!]
    const theta = ({ at, manifest }: typeof ofA) => manifest.theta[at] ?? null
    const weight = ({ at, manifest, subcategories }: typeof ofA, name: string) =>
      manifest.weights[at]?.[subcategories.indexOf(name)] ?? null
    return {
      actor,
      theta: [theta(ofA), theta(ofB)],
      subcategories: [...new Set([...ofA.subcategories, ...ofB.subcategories])].map((subcategory) => {
        const j = ofA.subcategories.indexOf(subcategory)
        const own = cells.filter(({ labels }) => labels[ofA.at] === j)
        const sum = (of: 'documents' | 'tokens', side: 0 | 1) => own.reduce((all, cell) => all + cell[of][side], 0)
        return {
          subcategory,
          weights: [weight(ofA, subcategory), weight(ofB, subcategory)],
          documents: j === -1 ? null : [sum('documents', 0), sum('documents', 1)],
          tokens: j === -1 ? null : [sum('tokens', 0), sum('tokens', 1)],
        }
      }),
    }
  })
}

/** At the step at which a round was opened; null where it was not evaluated there. */
const lossAt = ({ progress }: ComparedRun, step: number): number | null =>
  progress.find((one) => one.step === step)?.referenceLoss ?? null
