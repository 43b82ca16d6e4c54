import { type Run, runTopics } from '../../schemas/index.ts'
import { type RunConfig, recordedConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { groupNamed, isOfGroup } from '../runtime/consumer-groups.ts'
import type { ConsumerGroup } from '../runtime/kafka/port.ts'
import { recordsOf } from '../runtime/records-of.ts'
import { withPreparing } from './preparing.ts'
import { type RunMember, type RunState, runState } from './run-state.ts'
import { RunView, type RunViewLimits } from './run-view.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec'>

/** A run as it stands in the log; each look reads what is new since the last one. One that an older version recorded has no topics until it is started. */
export class FollowedRun {
  readonly config: RunConfig
  readonly view: RunView
  /** As last recorded. */
  record: Run
  readonly #from = new Map<string, number[]>()

  constructor(record: Run, limits?: RunViewLimits) {
    this.record = record
    this.config = recordedConfig(record)
    this.view = new RunView(limits)
  }

  get name(): string {
    return this.config.name
  }

  /** @param existing the names of all topics */
  async look(ports: Ports, existing: ReadonlySet<string>): Promise<void> {
    const { progress, consoleState } = runTopics(this.name)
    const names = [progress, consoleState].map(({ name }) => name).filter((name) => existing.has(name))
    await Promise.all(names.map((name) => this.#readOn(ports, name)))
  }

  /** @param members who is connected; omitted: not checked */
  state(members?: ReadonlySet<RunMember>): RunState {
    const { record, config, view } = this
    const known = view.lastReport ?? view.lastOpened ?? view.lastManifest
    const started = known !== undefined || (members?.size ?? 0) > 0
    return runState({ record, config, view, started, ...(members && { members }) })
  }

  async #readOn(ports: Ports, topic: string): Promise<void> {
    const from = this.#from.get(topic) ?? []
    this.#from.set(topic, from)
    for await (const delivered of recordsOf(ports, topic, from)) this.view.apply(delivered)
  }
}

/** Which stations of each run are connected now, by run. */
export const membersOf = async (
  kafka: Pick<Runtime['kafka'], 'consumerGroups'>,
  runs: readonly string[],
): Promise<Map<string, ReadonlySet<RunMember>>> => membersAmong(await kafka.consumerGroups('winnow.'), runs)

/** @param groups those that have members */
export function membersAmong(
  groups: readonly Pick<ConsumerGroup, 'groupId'>[],
  runs: readonly string[],
): Map<string, ReadonlySet<RunMember>> {
  const isThere = (run: string) => (member: RunMember) => {
    const group = groupNamed(member, run)
    return groups.some(({ groupId }) => isOfGroup(groupId, group))
  }
  const all: readonly RunMember[] = ['console', 'influence', 'trainer']
  return new Map(runs.map((run) => [run, new Set(all.filter(isThere(run)))]))
}

/** All recorded runs as they stand now, with who is connected; archived ones only on request. */
export async function lookAtRuns(
  { kafka, codec, store }: Ports & Pick<Runtime, 'store'>,
  records: Iterable<Run>,
  { archived = false } = {},
): Promise<{ run: FollowedRun; state: RunState }[]> {
  const existing = new Set(await kafka.topicNames())
  const runs = [...records]
    .filter(({ life }) => archived || life !== 'archived')
    .map((record) => new FollowedRun(record))
  await Promise.all(runs.map((run) => run.look({ kafka, codec }, existing)))
  const members = await membersOf(
    kafka,
    runs.map(({ name }) => name),
  )
  return await Promise.all(
    runs.map(async (run) => ({
      run,
      state: await withPreparing({ store }, run.config, run.state(members.get(run.name))),
    })),
  )
}

/** Whether its trainer has made its last step. */
export async function isDone({ kafka, codec }: Ports, record: Run): Promise<boolean> {
  const run = new FollowedRun(record)
  await run.look({ kafka, codec }, new Set(await kafka.topicNames()))
  return run.state().state === 'done'
}
