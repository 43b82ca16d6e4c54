import { ActorState, Evaluation, type Reward, RoundClosed, RoundOpened, runTopics } from '../../../schemas/index.ts'
import { actorFold } from '../../../topologies/actor.ts'
import { emissionLayout, emitSelection } from '../../../topologies/console/emitting.ts'
import { evaluateSelection, isEvaluated } from '../../../topologies/console/evaluating.ts'
import { givenBefore, type SelectedRound } from '../../../topologies/console/reads.ts'
import { decideSelection } from '../../../topologies/console/selecting.ts'
import { historyFor, readsFor } from '../../../topologies/console/shadow-reads.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import { RoundLedger } from '../../../topologies/rounds/ledger.ts'
import { type RunConfig, rewardedRun } from '../../../topologies/run-config.ts'
import { cellsActor, foldedActors } from '../../../topologies/selection/joint-cells.ts'
import { jointCells } from '../../../topologies/selection/joint-config.ts'
import { naturalShare } from '../../../topologies/selection/other-bound.ts'
import type { Runtime } from '../../connections/connections.ts'
import { groupNamed } from '../../runtime/consumer-groups.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { KafkaOutput } from '../../runtime/output.ts'
import { recordsOf } from '../../runtime/records-of.ts'
import { selectionsOf } from '../../selections/chunks.ts'
import { type RecordedRun, readRecordedRun } from '../recorded.ts'
import { submitRun } from '../registry.ts'
import { givenRounds } from '../shadows/given-rounds.ts'
import { compareRounds, type RoundComparison, withEvaluations } from './compare.ts'
import { RoundLedgers, recordedRounds } from './folded.ts'
import { withSampleLabels } from './sample-labels.ts'

export interface ReplayOptions {
  readonly runtime: Runtime
  readonly recorded: RunConfig
  /** The same run under a new name, or with other hyperparameters. Actors and seed decide what was sampled, so they cannot change. */
  readonly replay: RunConfig
  readonly onRound?: (comparison: RoundComparison) => void
  /** Called before each round, and after the last one. */
  readonly onProgress?: (roundsDone: number, roundsTotal: number) => void
}

/**
 * Refolds a run's recorded streams from offset 0 through the same fold, theta, scores and top-k into topics of a new name, and compares round
 * by round. The console's decisions about time (when a round opened and closed, which labels and rewards it saw) are taken from the log;
 * everything else is computed again.
 */
export async function replay({
  runtime,
  recorded,
  replay: run,
  onRound,
  onProgress,
}: ReplayOptions): Promise<RoundComparison[]> {
  if (run.name === recorded.name) {
    throw new WinnowError('CONFIGURATION', `${run.name} cannot be replayed into its own topics`, {
      hint: 'Give the replay another name.',
    })
  }
  const asRecorded = await readRecordedRun(runtime, recorded.name)
  const promotion = asRecorded.opened.find(({ promoted = null }) => promoted !== null)
  if (promotion !== undefined && JSON.stringify(run.selection) !== JSON.stringify(recorded.selection))
    throw new WinnowError(
      'CONFIGURATION',
      `${recorded.name} goes on by the settings of ${promotion.promoted!.shadow} from round ${promotion.round} on: it cannot be replayed with others`,
      { hint: `Without --with it can; other settings are tried on ${promotion.promoted!.shadow}.` },
    )
  const isJoint = run.selection.collaboration === 'joint'
  const log = isJoint ? await withSampleLabels(runtime, recorded, asRecorded) : asRecorded
  const configuration = configurationBy(run, log.opened)
  const statesByRound = await refold(runtime, recorded, run, log)
  await submitRun(runtime, run, recorded.name)
  const topics = runTopics(run.name)
  const transactionalId = groupNamed('replay', run.name)
  await using streams = new AsyncDisposableStack()
  const ledgers = streams.use(new RoundLedgers(runtime, rewardedBy(recorded, run), log))
  const output = streams.adopt(await KafkaOutput.open({ ...runtime, transactionalId }), (one) => one.close())
  const ports = {
    store: runtime.store,
    selections: readsFor(recorded.shadowOf ?? run.name, selectionsOf(runtime)),
  }
  const comparisons: RoundComparison[] = []
  const selected: Omit<SelectedRound, 'read'>[] = []
  // A shadow's trainer was given its leader's selections, and so is a replay's of it.
  const served =
    recorded.shadowOf === undefined ? selected : historyFor(run.name, await givenRounds(runtime, recorded, log))
  for (const original of log.manifests) {
    onProgress?.(comparisons.length, log.manifests.length)
    const opened = { ...log.opened.find(({ round }) => round === original.round)!, run: run.name }
    const closed = { ...log.closed.find(({ round }) => round === original.round)!, run: run.name }
    const actorStates = statesByRound.get(original.round)!
    const ofRound = configuration.at(opened.round)
    const history = givenBefore(original.round, served, log.opened)
    const previous = selected.at(-1)?.manifest
    const decided = await decideSelection({ ...ports, run: ofRound, opened, actorStates, history, previous })
    const state = topics.consoleState.name
    const manifest = await emitSelection(output, decided, emissionLayout, [
      { topic: state, record: RoundOpened, key: `opened/${opened.round}`, value: opened },
      { topic: state, record: RoundClosed, key: `closed/${closed.round}`, value: closed },
      ...actorStates.map((value) => ({
        topic: topics.actorState.name,
        record: ActorState,
        key: `${value.actor}/${value.round}`,
        value,
      })),
    ])
    const evaluation = isEvaluated(ofRound, opened)
      ? await evaluateSelection(
          manifest,
          { run: ofRound, opened, closed, ledger: (await ledgers.at(opened.round))! },
          history,
          runtime.store,
          selected.map((one) => one.manifest),
        )
      : undefined
    if (evaluation !== undefined)
      await output.send([{ topic: state, record: Evaluation, key: `evaluated/${opened.round}`, value: evaluation }])
    selected.push({ run: ofRound, manifest })
    const evaluated = log.evaluations.find(({ round }) => round === original.round)
    const compared = withEvaluations(await compareRounds(original, manifest, runtime, runtime), evaluated, evaluation)
    const natural = naturalShare(ofRound.selection)
    const comparison = { ...compared, ...(natural > 0 && { naturalShare: natural }) }
    comparisons.push(comparison)
    onRound?.(comparison)
  }
  return comparisons
}

/**
 * The requests of one round with their answers, as `RoundLedgers` has them; of the rewards of other rounds nothing is kept.
 * @param whose its rewards stand in the topic of this run
 * @returns undefined: it was never opened
 */
export async function ledgerOf(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  run: RunConfig,
  { decisions }: Pick<RecordedRun, 'decisions'>,
  round: number,
  whose = rewardedRun(run),
): Promise<RoundLedger | undefined> {
  const openings = decisions.filter(({ record }) => record === RoundOpened.name)
  const opened = openings.map(({ value }) => value as RoundOpened).find((one) => one.round === round)
  if (opened === undefined) return undefined
  // Of a replay: the recorded rewards are of the run that it replays.
  const ledger = new RoundLedger({ ...opened, run: whose }, run.selection)
  for await (const { value, partition, offset } of recordsOf(runtime, runTopics(whose).rewards.name))
    ledger.accept(value as Reward, partition, offset)
  return ledger
}

/** A replay has no rewards of its own: it counts those of the run that it repeats, by its own rules. */
const rewardedBy = (recorded: RunConfig, { selection }: RunConfig): RunConfig => ({ ...recorded, selection })

/** The actors' states of every round, refolded from the recorded decisions and rewards. */
async function refold(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  recorded: RunConfig,
  run: RunConfig,
  log: RecordedRun,
): Promise<Map<number, ActorState[]>> {
  const configuration = configurationBy(run, log.opened)
  const states = new Map<string, ActorState>()
  const cells = jointCells(run.selection) === undefined ? [] : [cellsActor]
  const folds = [...configuration.actorsEver, ...cells].map((name) => actorFold(run, name))
  for await (const round of recordedRounds(runtime, rewardedBy(recorded, run), log))
    for (const state of folds.flatMap((fold) => fold(round))) states.set(`${state.actor}/${state.round}`, state)
  return new Map(
    log.opened.map(({ round }) => {
      const folded = foldedActors(configuration.at(round).selection)
      return [round, folded.flatMap((name) => states.get(`${name}/${round}`) ?? [])]
    }),
  )
}
