import { ActorChange, Promotion, type RecordValue, type RoundOpened, runTopics, Steering } from '../../schemas/index.ts'
import { PendingChanges } from '../../topologies/console/changes.ts'
import { PendingPromotions } from '../../topologies/console/promotions.ts'
import { PendingSteerings } from '../../topologies/console/steerings.ts'
import {
  type Configuration,
  changedRun,
  configurationBy,
  relabelProblems,
} from '../../topologies/rounds/configuration.ts'
import { steeredRun } from '../../topologies/rounds/steering.ts'
import { plainName, plainNameRule, type RunConfig } from '../../topologies/run-config.ts'
import { createRunTopics, type Runtime } from '../connections/connections.ts'
import { WinnowError } from '../runtime/errors.ts'
import { readTopic } from './recorded.ts'
import { runnable } from './registry.ts'
import { ascending, RunView } from './run-view.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec'>

/** What has become of the changes of a run's actors. */
export interface ChangesOfRun {
  readonly configuration: Configuration
  /** Those that no round has taken yet. */
  readonly waiting: readonly ActorChange[]
  /** Promotions of shadows that no round has taken yet, and how many have been asked for in all. */
  readonly promotions: readonly Promotion[]
  readonly promotionsAsked: number
  /** What somebody steered and no round has taken yet. */
  readonly steerings: readonly Steering[]
  /** The last opening. */
  readonly lastOpened: RoundOpened | undefined
  /** The run as it will be once they are. */
  readonly wanted: RunConfig
}

/** @param run as it was recorded */
export async function readChanges({ kafka, codec }: Ports, run: RunConfig): Promise<ChangesOfRun> {
  const existing = new Set(await kafka.topicNames())
  const { changes, consoleState } = runTopics(run.name)
  const read = async (topic: string) => (existing.has(topic) ? await readTopic({ kafka, codec }, topic) : [])
  const records = await read(changes.name)
  const asked = records.filter(({ record }) => record === ActorChange.name).map(({ value }) => value as ActorChange)
  const promotions = new PendingPromotions()
  for (const { record, value } of records) if (record === Promotion.name) promotions.want(value as Promotion)
  const steerings = new PendingSteerings()
  for (const { record, value } of records) if (record === Steering.name) steerings.want(value as Steering)
  const view = new RunView()
  for (const delivered of await read(consoleState.name)) view.apply(delivered)
  const openings = ascending(view.opened)
  const configuration = configurationBy(run, openings)
  const pending = new PendingChanges()
  for (const change of asked) pending.want(change)
  for (const one of openings) pending.take(one.changes)
  steerings.take(configuration.steerings.map(({ steering }) => steering))
  for (const { promoted } of configuration.promotions) promotions.take(promoted)
  const waiting = pending.waiting(configuration.last)
  const wanted = after(configuration.last, waiting, steerings.waiting)
  return {
    ...{ configuration, waiting, wanted, steerings: steerings.waiting, lastOpened: view.lastOpened },
    ...{ promotions: promotions.waiting, promotionsAsked: promotions.asked },
  }
}

/**
 * Asks for a change of a live run's actors. The console takes it at the opening of a round; until then it waits, and the run goes on.
 * @throws WinnowError CONFIGURATION if there is no such run, it is over, or the change does not fit it
 */
export async function wantChange({ kafka, codec }: Ports, change: ActorChange): Promise<void> {
  const { run } = await runnable({ kafka, codec }, change.run)
  if (!plainName.test(change.actor)) throw refused(change, `its name ${plainNameRule}`)
  const found = await readChanges({ kafka, codec }, run)
  const wanted = change.mapping === null ? found.wanted : runBefore(found, change.actor)
  if (changedRun(wanted, change) === undefined) throw refused(change, whyNot(wanted, change))
  await recordChange({ kafka, codec }, run, ActorChange, change)
}

/** The run that other subcategories of an actor are asked for of: with what waits, but for those that were asked for before and will not come. */
export const runBefore = ({ configuration, waiting, steerings }: ChangesOfRun, actor: string): RunConfig =>
  after(
    configuration.last,
    waiting.filter((one) => one.actor !== actor || one.mapping === null),
    steerings,
  )

const after = (run: RunConfig, changes: readonly ActorChange[], steerings: readonly Steering[]): RunConfig => {
  const changed = changes.reduce((before, change) => changedRun(before, change) ?? before, run)
  return steerings.reduce((before, steering) => steeredRun(before, steering) ?? before, changed)
}

/** Writes into the log what somebody wants of a run. */
export async function recordChange<R extends typeof ActorChange | typeof Promotion | typeof Steering>(
  { kafka, codec }: Ports,
  run: RunConfig,
  record: R,
  change: RecordValue<R> & { readonly id: string },
): Promise<void> {
  await createRunTopics(kafka, run)
  await using opened = new AsyncDisposableStack()
  const producer = opened.adopt(await kafka.producer(), (one) => one.close())
  const topic = runTopics(run.name).changes.name
  await producer.send([{ topic, key: change.id, value: codec.encode(record, change) }])
}

const refused = ({ kind, actor, run }: ActorChange, why: string): WinnowError =>
  new WinnowError('CONFIGURATION', `actor ${actor} cannot be ${past[kind]} run ${run}: ${why}`, {
    hint: `Its actors, and the changes that wait: winnow run show ${run}.`,
  })

const past = { add: 'added to', remove: 'removed from', freeze: 'frozen in', relabel: 'relabelled in' } as const

function whyNot(run: RunConfig, { kind, actor, mapping, subcategories, labelerVersion }: ActorChange): string {
  const known = run.selection.actors.find(({ name }) => name === actor)
  if (kind === 'add') return 'it has one of that name'
  if (known === undefined) return `its actors are ${run.selection.actors.map(({ name }) => name).join(', ')}`
  if (kind === 'freeze') return 'it is frozen already'
  if (kind === 'relabel' && run.labelers[actor] === labelerVersion) return 'its labels are of this version'
  if (mapping !== null) {
    const actors = run.selection.actors.map((one) => (one === known ? { ...one, subcategories } : one))
    return `${relabelProblems(run, actors).join('; ')}; what guards a subcategory is taken off by: winnow steer ${run.name} --free ${actor}=SUBCATEGORY`
  }
  if (kind === 'relabel') return `its labels are, or will be, of this version, or its subcategories are others`
  if (run.selection.actors.length === 1) return 'it is the last one'
  return "the run's strategy, collaboration or guards need it"
}
