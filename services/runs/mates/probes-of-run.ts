import { type DocumentId, type LabelerFit, type RoundClosed, RoundOpened } from '../../../schemas/index.ts'
import { takingPart } from '../../../topologies/corpus-store.ts'
import { sampleOf } from '../../../topologies/evaluation/evaluate.ts'
import { joinProbes, type Probe, probesOf } from '../../../topologies/mates/probes.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import type { RoundLedger } from '../../../topologies/rounds/ledger.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { readable } from '../../corpus/readable.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { readRecordedRun } from '../recorded.ts'
import { RoundLedgers } from '../replay/folded.ts'

/** Probes of one or several rounds of a run, all from its log. */
export interface ProbesOfRun extends Pick<LabelerFit, 'run' | 'rewardOffsets' | 'checkpoint'> {
  readonly rounds: readonly { readonly round: number; readonly checkpoint: string }[]
  readonly probes: readonly Probe[]
  /** Those that the run holds out, of the last round: no fit sees them. */
  readonly heldOut: readonly Probe[]
  readonly texts: ReadonlyMap<DocumentId, string>
  /** The run as the last of these rounds has it. */
  readonly config: RunConfig
}

export interface WhichRounds {
  /** Left out: the last that is closed and has rewards. */
  readonly round?: number | undefined
  /** How many rounds with rewards, this one and those before it. Default: 1. */
  readonly rounds?: number | undefined
}

interface ClosedRound {
  readonly opened: RoundOpened
  readonly closed: RoundClosed
}

/**
 * Reads the rewards that a run's rounds asked for, of documents drawn evenly from each subcategory, each with the number of documents that it stands for.
 * @throws WinnowError CONFIGURATION if there is no such round, or none with rewards; BAD_DATA if the rewards of a round do not vary
 */
export async function probesOfRun(runtime: Runtime, recorded: RunConfig, which: WhichRounds): Promise<ProbesOfRun> {
  const log = await readRecordedRun(runtime, recorded.name)
  // As they were opened: which labels a round selected by in the end says nothing of its rewards.
  const openings = log.decisions
    .filter(({ record }) => record === RoundOpened.name)
    .map(({ value }) => value as RoundOpened)
  const rewarded = log.closed.flatMap((closed): ClosedRound[] => {
    const opened = openings.findLast(({ round }) => round === closed.round)
    return opened === undefined || opened.samples.length === 0 ? [] : [{ opened, closed }]
  })
  const chosen = choose(recorded.name, rewarded, which)
  const last = chosen.at(-1)!
  const folded: Probe[][] = []
  const heldOut: Probe[] = []
  const asOpened = ({ opened }: ClosedRound) =>
    configurationBy(recorded, [...log.opened.filter(({ round }) => round < opened.round), opened]).at(opened.round)
  const config = asOpened(last)
  const holdsOut = config.selection.holdOut !== undefined
  await using ledgers = new RoundLedgers(runtime, recorded, log)
  for (const one of chosen) {
    const { round } = one.opened
    const ledger = await ledgers.at(round)
    if (ledger === undefined)
      throw new WinnowError('BAD_DATA', `the topic of run ${recorded.name} lacks rewards that round ${round} counts`)
    const answered = { ...one, ledger }
    const probes = await ofRound(runtime, asOpened(one), answered, 'folded')
    if (probes === null) throw allTheSame(recorded.name, round)
    folded.push(probes)
    if (holdsOut && one === last) heldOut.push(...((await ofRound(runtime, config, answered, 'held-out')) ?? []))
  }
  const probes = joinProbes(folded)
  return {
    ...{ run: recorded.name, probes, heldOut, config },
    rounds: chosen.map(({ opened: { round, checkpointDigest } }) => ({ round, checkpoint: checkpointDigest ?? '' })),
    rewardOffsets: last.closed.rewardOffsets.map(({ partition, offsetNext }) => ({ partition, offsetNext })),
    checkpoint: last.opened.checkpointDigest ?? '',
    texts: await readable(runtime).texts([...probes, ...heldOut].map(({ docId }) => docId)),
  }
}

function choose(run: string, rewarded: readonly ClosedRound[], { round, rounds = 1 }: WhichRounds): ClosedRound[] {
  const numbers = rewarded.map(({ opened }) => opened.round)
  const at = round === undefined ? numbers.length - 1 : numbers.indexOf(round)
  if (at !== -1) return rewarded.slice(Math.max(0, at + 1 - rounds), at + 1)
  const what = round === undefined ? 'no closed round' : `no closed round ${round}`
  throw new WinnowError('CONFIGURATION', `run ${run} has ${what} with rewards`, {
    hint:
      numbers.length === 0
        ? 'Rounds from 1 on ask for rewards, if sampleDocuments is not 0.'
        : `Rounds with rewards: ${numbers.join(', ')}.`,
  })
}

/** @returns null if the rewards do not vary */
async function ofRound(
  { store }: Runtime,
  run: RunConfig,
  { opened, closed, ledger }: ClosedRound & { readonly ledger: RoundLedger },
  on: 'folded' | 'held-out',
): Promise<Probe[] | null> {
  const names = run.selection.actors.map(({ name }) => name)
  const corpus = await store.view(takingPart(run, opened))
  const rewards = ledger.accepted(names, closed.rewardOffsets)
  const sample = await sampleOf({ config: run.selection, sampledIn: opened.round, rewards, corpus, on })
  // One alone says nothing, and does not vary either: there are too few.
  return sample.rewards.length < 2 ? [] : probesOf(sample)
}

const allTheSame = (run: string, round: number): WinnowError =>
  new WinnowError('BAD_DATA', `the rewards of round ${round} of ${run} are all the same: nothing is recorded`, {
    hint: 'Is the reference of the rewards about anything that the corpus has? winnow influence validate looks.',
  })
