import { from, lastValueFrom, toArray } from 'rxjs'
import { ActorState, Evaluation, type Reward, RoundClosed, RoundOpened, runTopics } from '../../../schemas/index.ts'
import { foldRounds } from '../../../topologies/actor.ts'
import { emissionLayout, emitSelection } from '../../../topologies/console/emitting.ts'
import { evaluateSelection, isEvaluated } from '../../../topologies/console/evaluating.ts'
import { readsKnown, type SelectedRound } from '../../../topologies/console/reads.ts'
import { decideSelection } from '../../../topologies/console/selecting.ts'
import { historyFor, readsFor } from '../../../topologies/console/shadow-reads.ts'
import type { Delivered } from '../../../topologies/node.ts'
import { collectRounds } from '../../../topologies/rounds/collect.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import { RoundLedger } from '../../../topologies/rounds/ledger.ts'
import { type RunConfig, rewardedRun } from '../../../topologies/run-config.ts'
import { cellsActor, foldedActors } from '../../../topologies/selection/joint-cells.ts'
import { jointCells } from '../../../topologies/selection/joint-config.ts'
import { createRunTopics, type Runtime } from '../../connections/connections.ts'
import { groupNamed } from '../../runtime/consumer-groups.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { KafkaOutput } from '../../runtime/output.ts'
import { selectionsOf } from '../../selections/chunks.ts'
import { type RecordedRun, readRecordedRun, readTopic, recordsOf } from '../recorded.ts'
import { submitRun } from '../registry.ts'
import { givenRounds } from '../shadows/given-rounds.ts'
import { compareRounds, type RoundComparison, withEvaluations } from './compare.ts'
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
  const isJoint = run.selection.collaboration === 'joint'
  const log = isJoint ? await withSampleLabels(runtime, recorded, asRecorded) : asRecorded
  const configuration = configurationBy(run, log.opened)
  const inputs = await foldedRecords(runtime, recorded, log)
  const statesByRound = await refold(run, log, inputs)
  const ledgers = await ledgersOf(run, inputs)
  await submitRun(runtime, run, recorded.name)
  const topics = runTopics(run.name)
  await createRunTopics(runtime.kafka, run)
  const transactionalId = groupNamed('replay', run.name)
  await using streams = new AsyncDisposableStack()
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
    const known = readsKnown(log.opened.filter(({ round }) => round <= opened.round))
    const history = served
      .filter(({ manifest }) => manifest.round < original.round)
      .map((one) => ({ ...one, read: known.get(one.manifest.round) ?? null }))
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
    const rewarded = { run: ofRound, opened, closed, ledger: ledgers.get(opened.round)! }
    const evaluation = isEvaluated(ofRound, opened)
      ? await evaluateSelection(
          manifest,
          rewarded,
          history,
          runtime.store,
          selected.map((one) => one.manifest),
        )
      : undefined
    if (evaluation !== undefined)
      await output.send([{ topic: state, record: Evaluation, key: `evaluated/${opened.round}`, value: evaluation }])
    selected.push({ run: ofRound, manifest })
    const evaluated = log.evaluations.find(({ round }) => round === original.round)
    const comparison = withEvaluations(await compareRounds(original, manifest, runtime, runtime), evaluated, evaluation)
    comparisons.push(comparison)
    onRound?.(comparison)
  }
  return comparisons
}

/** What actors fold: the recorded openings, closings and rewards. */
export async function foldedRecords(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  run: Pick<RunConfig, 'name' | 'shadowOf'>,
  { decisions }: Pick<RecordedRun, 'decisions'>,
): Promise<Delivered[]> {
  const folded = decisions.filter(({ record }) => record === RoundOpened.name || record === RoundClosed.name)
  return [...folded, ...(await readTopic(runtime, runTopics(rewardedRun(run)).rewards.name))]
}

/** The requests of every closed round with their answers. */
export async function ledgersOf(run: RunConfig, inputs: readonly Delivered[]): Promise<Map<number, RoundLedger>> {
  const collected = await lastValueFrom(from(inputs).pipe(collectRounds(run.selection), toArray()))
  return new Map(collected.map(({ opened, ledger }) => [opened.round, ledger]))
}

/**
 * The requests of one round with their answers, as `ledgersOf` has them; of the rewards of other rounds nothing is kept.
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

/** The actors' states of every round, refolded from the recorded decisions and rewards. */
async function refold(
  run: RunConfig,
  log: RecordedRun,
  inputs: readonly Delivered[],
): Promise<Map<number, ActorState[]>> {
  const configuration = configurationBy(run, log.opened)
  const states = new Map<string, ActorState>()
  const cells = jointCells(run.selection) === undefined ? [] : [cellsActor]
  for (const name of [...configuration.actorsEver, ...cells]) {
    for (const state of await lastValueFrom(from(inputs).pipe(foldRounds(run, name), toArray())))
      states.set(`${name}/${state.round}`, state)
  }
  return new Map(
    log.opened.map(({ round }) => {
      const folded = foldedActors(configuration.at(round).selection)
      return [round, folded.flatMap((name) => states.get(`${name}/${round}`) ?? [])]
    }),
  )
}
