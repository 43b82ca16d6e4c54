import { ActorChange, RoundOpened, RoundRelabelled, type Run, runTopics } from '../../schemas/index.ts'
import { PendingChanges } from '../../topologies/console/changes.ts'
import { Configuration, needsLabels } from '../../topologies/rounds/configuration.ts'
import { recordedConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec'>

/** Which labels the changes of a live run's actors ask for, as of now: those that wait, and those that the run selects by. */
export class WantedLabels {
  readonly #ports: Ports
  readonly #run: string
  readonly #configuration: Configuration
  readonly #pending = new PendingChanges()
  readonly #asked = new Map<string, ActorChange>()
  readonly #from = new Map<string, number[]>()

  constructor(ports: Ports, recorded: Run) {
    this.#ports = ports
    this.#run = recorded.run
    this.#configuration = new Configuration(recordedConfig(recorded))
  }

  /**
   * Reads what is new since the last look. Labels that other ones have replaced are not wanted any more, nor are those of an actor that has left.
   * @param existing names of topics
   */
  async look(existing: ReadonlySet<string>): Promise<ActorChange[]> {
    const { changes, consoleState } = runTopics(this.#run)
    for await (const { record, value } of this.#records(changes.name, existing)) {
      const change = value as ActorChange
      if (record !== ActorChange.name || this.#asked.has(change.id)) continue
      this.#asked.set(change.id, change)
      this.#pending.want(change)
    }
    // Most runs ask for none: then their openings are not read.
    if (this.#asked.size === 0) return []
    for await (const { record, value } of this.#records(consoleState.name, existing)) {
      if (record === RoundOpened.name) {
        const opened = value as RoundOpened
        this.#configuration.learn(opened)
        this.#pending.take(opened.changes)
      } else if (record === RoundRelabelled.name) {
        const { round, change } = value as RoundRelabelled
        if (change === null) continue
        this.#configuration.add(round, change)
        this.#pending.take([change])
      }
    }
    const { selection, labelers } = this.#configuration.last
    const waiting = new Set(this.#pending.waiting(this.#configuration.last).map(({ id }) => id))
    const isUsed = ({ actor, labelerVersion }: ActorChange) =>
      labelers[actor] === labelerVersion && selection.actors.some(({ name }) => name === actor)
    return [...this.#asked.values()].filter(
      (change) => needsLabels(change) && (waiting.has(change.id) || isUsed(change)),
    )
  }

  async *#records(topic: string, existing: ReadonlySet<string>) {
    if (!existing.has(topic)) return
    const { kafka, codec } = this.#ports
    const next = this.#from.get(topic) ?? []
    this.#from.set(topic, next)
    for await (const records of kafka.read(topic, next)) {
      for (const { partition, offset, value } of records) {
        next[partition] = offset + 1
        const decoded = value === null ? undefined : await readable(() => codec.decode(value))
        if (decoded !== undefined) yield decoded
      }
    }
  }
}
