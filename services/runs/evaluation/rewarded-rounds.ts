import type { Evaluation, Manifest } from '../../../schemas/index.ts'
import type { RewardedRound } from '../../../topologies/console/evaluating.ts'
import { givenBefore, type SelectedRound } from '../../../topologies/console/reads.ts'
import { configurationBy, naturalShares } from '../../../topologies/rounds/configuration.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { withNaturalShare } from '../../../topologies/selection/other-bound.ts'
import type { Runtime } from '../../connections/connections.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type RecordedRun, readRecordedRun } from '../recorded.ts'
import { givenRounds } from '../shadows/given-rounds.ts'

/** A selection of a run, and the round whose rewards say what it is worth. */
export interface JudgedRound {
  readonly selected: Manifest
  /** Its ledger is read when it is its turn (`RoundLedgers`): those of all rounds may be more than fit. */
  readonly rewarded: Omit<RewardedRound, 'ledger'>
  /** The rounds selected before the one of the rewards that the trainer was given. */
  readonly history: readonly SelectedRound[]
  /** As the console has recorded it; undefined: it has not, or not on these rewards. */
  readonly recorded: Evaluation | undefined
}

/**
 * The rounds of a run that can be judged from its log, ascending: by the rewards that were held out, if the run holds some out, else by those of
 * the next round, which were asked for and answered after the selection was made.
 * @param completed what the log lacks for the rewards' columns, from elsewhere
 * @returns with the log from which they come
 * @throws WinnowError CONFIGURATION if no round can be judged
 */
export async function judgedRounds(
  runtime: Runtime,
  recorded: RunConfig,
  given?: Evaluation['on'],
  completed: (log: RecordedRun) => Promise<RecordedRun> = async (log) => log,
): Promise<{
  on: Evaluation['on']
  rounds: JudgedRound[]
  log: RecordedRun
}> {
  const log = await completed(await readRecordedRun(runtime, recorded.name))
  const holdsOut = recorded.selection.holdOut !== undefined
  if (given === 'held-out' && !holdsOut)
    throw new WinnowError('CONFIGURATION', `run ${recorded.name} holds no rewards out`, {
      hint: 'Judge its rounds by the next ones: --on next-round. Runs that hold rewards out: selection.holdOut in run.yaml.',
    })
  const on = given ?? (holdsOut ? 'held-out' : 'next-round')
  const configuration = configurationBy(recorded, log.opened)
  const served = await givenRounds(runtime, recorded, log)
  const shares = naturalShares(log.opened)
  /** @param selectedIn whose natural share it has: what is judged is that selection, by the rewards of another round */
  const rewardedRound = (round: number, selectedIn: number): JudgedRound['rewarded'] | undefined => {
    const opened = log.opened.find((one) => one.round === round)
    const closed = log.closed.find((one) => one.round === round)
    if (opened === undefined || closed === undefined || opened.samples.length === 0) return undefined
    const run = configuration.at(round)
    const selection = withNaturalShare(run.selection, shares.get(selectedIn) ?? 0)
    return { run: { ...run, selection }, opened, closed }
  }
  const subcategoriesAt = (round: number) =>
    JSON.stringify(configuration.at(round).selection.actors.map(({ subcategories }) => subcategories))
  const rounds = log.manifests.flatMap((manifest): JudgedRound[] => {
    const by = on === 'held-out' ? manifest.round : log.closed.find(({ round }) => round > manifest.round)?.round
    const rewarded = by === undefined ? undefined : rewardedRound(by, manifest.round)
    if (rewarded === undefined) return []
    const { actors } = rewarded.run.selection
    const fits = actors.map(({ name }) => name).join() === manifest.actors.join()
    if (!fits || subcategoriesAt(manifest.round) !== subcategoriesAt(rewarded.opened.round)) return []
    const history = givenBefore(rewarded.opened.round, served, log.opened)
    const known = log.evaluations.find((one) => one.round === manifest.round && one.on === on)
    return [{ selected: manifest, rewarded, history, recorded: known }]
  })
  if (rounds.length > 0) return { on, rounds, log }
  const why = on === 'next-round' ? 'of a round that has been followed by another' : 'that were held out'
  throw new WinnowError('CONFIGURATION', `run ${recorded.name} has no rewards yet ${why}`, {
    hint: 'A run that asks for no rewards (sampleDocuments: 0) cannot be judged by them.',
  })
}
