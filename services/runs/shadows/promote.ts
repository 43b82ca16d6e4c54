import { Promotion, type Steering } from '../../../schemas/index.ts'
import { guardsAfter } from '../../../topologies/rounds/steering.ts'
import { type RunConfig, runConfigJson } from '../../../topologies/run-config.ts'
import { guardProblems } from '../../../topologies/selection/guards-config.ts'
import { cellsActor, foldedActors } from '../../../topologies/selection/joint-cells.ts'
import type { Runtime } from '../../connections/connections.ts'
import type { Clock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { readChanges, recordChange } from '../actor-changes.ts'
import { runNamed, runnable } from '../registry.ts'

/** What has become of a promotion that somebody asks for. */
export interface Promoting {
  /** The run that goes on as the shadow. */
  readonly run: string
  readonly shadow: string
  /** Not before this round; null: the next one. */
  readonly fromRound: number | null
  /** Whether it was recorded now; false: it waits already, or the run goes on as this shadow. */
  readonly isNew: boolean
}

/**
 * Asks that a live run goes on by the settings and weights of a shadow of it. The run's console takes it at the opening of a round, as soon as the shadow has
 * selected for the round before; until then it waits, and the run goes on as it is. The last one that is asked for counts.
 * @param fromRound not before this round; null: the next one
 * @throws WinnowError CONFIGURATION if the run is no shadow, the run that it follows is over, or that run has no station for what the shadow folds
 */
export async function promoteShadow(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  name: string,
  fromRound: number | null,
  clock: Clock,
): Promise<Promoting> {
  const shadow = await runNamed(runtime, name)
  if (shadow.shadowOf === undefined)
    throw new WinnowError('CONFIGURATION', `${name} is not a shadow: it follows no run that could go on as it`, {
      hint: 'A shadow is recorded by: winnow run shadow RUN.',
    })
  const { run: leader } = await runnable(runtime, shadow.shadowOf)
  checkStations(leader, shadow)
  const { configuration, promotions, promotionsAsked, steerings } = await readChanges(runtime, leader)
  checkGuards(leader, shadow, [...configuration.steerings.map(({ steering }) => steering), ...steerings])
  const promoting = { run: leader.name, shadow: name, fromRound }
  const waits = promotions.at(-1)
  const serves = configuration.promotions.at(-1)?.promoted.shadow === name
  if (waits === undefined ? serves : waits.shadow === name && waits.fromRound === fromRound)
    return { ...promoting, isNew: false }
  await recordChange(runtime, leader, Promotion, {
    ...{ run: leader.name, id: `${name}/${promotionsAsked}`, shadow: name, config: runConfigJson(shadow) },
    ...{ fromRound, recordedMs: clock() },
  })
  return { ...promoting, isNew: true }
}

/** What somebody steered holds on: a shadow by whose settings it cannot would end it silently. */
function checkGuards(leader: RunConfig, { name, selection }: RunConfig, steerings: readonly Steering[]): void {
  const guards = steerings.reduce(guardsAfter, selection.guards ?? { rules: [] })
  const [problem] = guardProblems(guards, selection)
  if (problem === undefined) return
  throw new WinnowError(
    'CONFIGURATION',
    `${leader.name} cannot go on as ${name}, by whose settings what was steered could not hold: ${problem.message}`,
    { hint: `winnow steer ${leader.name} --free ACTOR=SUBCATEGORY takes a guard off.` },
  )
}

/** The stations of a run are those of its recorded configuration, and its workers answer what that asks. */
function checkStations(leader: RunConfig, shadow: RunConfig): void {
  const lacks = (what: string) =>
    new WinnowError('CONFIGURATION', `${leader.name} cannot go on as ${shadow.name}: ${what}`, {
      hint: 'A new run can have these settings from its beginning: winnow run create.',
    })
  const folds = (run: RunConfig) => foldedActors(run.selection).includes(cellsActor)
  if (folds(shadow) && !folds(leader)) throw lacks('nobody folds residuals of cells (joint.cells) for it')
}
