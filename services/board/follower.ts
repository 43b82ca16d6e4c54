import { DeadLetter, runTopics, Source, topics } from '../../schemas/index.ts'
import type { Runtime } from '../connections/connections.ts'
import { RunList } from '../host/run-list.ts'
import { unreadableIn } from '../runs/unreadable.ts'
import type { IncomingRecord } from '../runtime/kafka/port.ts'
import type { BoardModel } from './model.ts'

/** The latest runs are checked every time; an older one that has been quiet for long only now and then: checking costs requests. */
const runsAlways = 4
const quietPollsMax = 100
const quietEvery = 8

/**
 * Reads the topics that the model is folded from, from offset 0 and then whatever is new. It joins no consumer group, so a board leaves
 * nothing behind on the broker and takes nothing away from anybody.
 */
export class Follower {
  readonly #runtime: Pick<Runtime, 'kafka' | 'codec' | 'log'>
  readonly #model: BoardModel
  readonly #recorded: RunList
  readonly #positions = new Map<string, number[]>()
  readonly #quietPolls = new Map<string, number>()
  #polls = 0
  /** The names of all topics, as of the last poll. */
  existing: ReadonlySet<string> = new Set()
  /** The next offset of each partition of each topic read so far. */
  readonly ends = new Map<string, readonly number[]>()
  /** How many records were read of each topic: offsets count the markers of transactions too. */
  readonly records = new Map<string, number>()

  constructor(runtime: Pick<Runtime, 'kafka' | 'codec' | 'log'>, model: BoardModel) {
    this.#runtime = runtime
    this.#model = model
    this.#recorded = new RunList(runtime.codec)
  }

  /** Reads what is new, once. Topics that do not exist yet are skipped. */
  async poll(): Promise<void> {
    const existing = new Set(await this.#runtime.kafka.topicNames())
    this.existing = existing
    const follow = async (topic: string, onRecord: (record: IncomingRecord) => Promise<void>) =>
      existing.has(topic) && (await this.#follow(topic, onRecord))
    this.#polls++
    await follow(topics.runs.name, async (record) => {
      const name = `${record.key}`
      const before = this.#model.runs.get(name)?.model
      await this.#recorded.apply(record)
      const run = this.#recorded.runs.get(name)
      if (run === undefined) this.#model.removeRun(name)
      else this.#model.addRun(run)
      this.#model.setUnreadable(unreadableIn(this.#recorded))
      // The run is gone, or another has its name: its topics are different ones.
      if (before !== undefined && this.#model.runs.get(name)?.model !== before) this.#forget(name)
    })
    await follow(topics.sources.name, async ({ value }) => {
      if (value !== null) this.#model.addSource(await this.#runtime.codec.decodeAs(Source, value))
    })
    await follow(topics.deadLetters.name, async ({ value, offset }) => {
      if (value !== null) this.#model.addDeadLetter(offset, await this.#runtime.codec.decodeAs(DeadLetter, value))
    })
    const runs = [...this.#model.runs.keys()]
    const ofRuns = runs.map(async (run, i) => {
      const quiet = this.#quietPolls.get(run) ?? 0
      const always = i >= runs.length - runsAlways || quiet < quietPollsMax
      if (!always && this.#polls % quietEvery !== 0) return
      let news = false
      const { consoleState, actorState, progress, rewards } = runTopics(run)
      // Openings first, so that few rewards have to wait for theirs.
      for (const topic of [consoleState, actorState, progress, rewards]) {
        const found = await follow(topic.name, async ({ partition, offset, value, writtenMs }) => {
          if (value === null) return
          const decoded = await this.#runtime.codec.decode(value)
          this.#model.applyToRun(run, { topic: topic.name, partition, offset, ...decoded }, writtenMs ?? null)
        })
        news ||= found
      }
      this.#quietPolls.set(run, news ? 0 : quiet + 1)
    })
    await Promise.all([...ofRuns, this.#measure(existing)])
    this.#forgetRunsExcept(new Set(runs))
  }

  /** @returns whether anything was new */
  async #follow(topic: string, onRecord: (record: IncomingRecord) => Promise<void>): Promise<boolean> {
    const ends = await this.#runtime.kafka.endOffsets(topic)
    this.ends.set(topic, ends)
    const positions = this.#positions.get(topic) ?? ends.map(() => 0)
    this.#positions.set(topic, positions)
    if (ends.every((end, partition) => end <= (positions[partition] ?? 0))) return false
    for await (const records of this.#runtime.kafka.read(topic, positions)) {
      for (const record of records) {
        // An invalid record is in dead letters already, or will be: the board shows the rest.
        await onRecord(record).catch((error: unknown) => this.#runtime.log.warn({ err: error, topic }, 'not shown'))
        positions[record.partition] = record.offset + 1
      }
      this.records.set(topic, (this.records.get(topic) ?? 0) + records.length)
    }
    // Past transaction markers, which are not records.
    for (const [partition, end] of ends.entries()) positions[partition] = Math.max(positions[partition] ?? 0, end)
    return true
  }

  /** Memory does not grow with runs long past. */
  #forgetRunsExcept(runs: ReadonlySet<string>): void {
    for (const run of this.#quietPolls.keys()) {
      if (!runs.has(run)) this.#forget(run)
    }
  }

  #forget(run: string): void {
    this.#quietPolls.delete(run)
    for (const { name } of Object.values(runTopics(run))) {
      this.#positions.delete(name)
      this.ends.delete(name)
      this.records.delete(name)
    }
  }

  /** Ends of the topics of the dataflow that are not read. */
  async #measure(existing: ReadonlySet<string>): Promise<void> {
    const names = new Set<string>()
    for (const { model } of this.#model.runs.values()) {
      for (const { reads, writes } of model.info.stations) for (const name of [...reads, ...writes]) names.add(name)
    }
    const unread = [...names].filter((name) => existing.has(name) && !this.#positions.has(name))
    await Promise.all(unread.map(async (name) => this.ends.set(name, await this.#runtime.kafka.endOffsets(name))))
  }
}
