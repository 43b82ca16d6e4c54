import { runTopics, topics as winnowTopics } from '../../schemas/index.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { countDocuments } from '../runs/label-progress.ts'
import { type StationLag, StationLags } from '../runs/lag.ts'
import { Rates } from '../runs/rates.ts'
import { listRuns } from '../runs/registry.ts'
import { RunView } from '../runs/run-view.ts'
import type { Clock } from '../runtime/clock.ts'
import { readable } from '../runtime/codec.ts'
import { sumOf } from '../runtime/lag.ts'
import { type Memory, memoryOf } from './memory.ts'

export interface TopicNumbers {
  readonly topic: string
  /** By offsets, which include the markers of transactions. */
  readonly records: number
  /** null: not known yet. */
  readonly perSecond: number | null
  readonly lags: readonly { station: string; records: number }[]
}

export interface RunNumbers {
  readonly run: string
  readonly step: number
  readonly steps: number
  readonly tokens: number
  readonly tokensPerSecond: number | null
  /** The last opened round; null: none. */
  readonly round: number | null
  readonly state: 'waiting' | 'open' | 'closed' | 'selected'
  /** Since it was opened, until it is selected. */
  readonly roundSeconds: number | null
  readonly rewardsAsked: number
  /** Of the last closed round; null: none. */
  readonly rewardsMissing: number | null
  readonly selected: number | null
  readonly theta: Readonly<Record<string, number>>
  readonly trainLoss: number | null
  readonly referenceLoss: number | null
  readonly corpusLoss: number | null
}

/** The current main numbers. */
export interface Numbers {
  readonly atMs: number
  readonly documents: number
  readonly labelled: number
  readonly deadLetters: number
  /** Of the processes of a cluster on this machine, by program; null for a remote one. */
  readonly memoryBytes: Memory | null
  readonly topics: readonly TopicNumbers[]
  readonly runs: readonly RunNumbers[]
}

export interface WatchOptions {
  readonly runtime: Runtime
  readonly labelers: ReadonlyMap<string, string>
  readonly clock: Clock
  /** The process of a cluster on this machine. */
  readonly pid?: number
}

/** What is known of a run so far; its topics are read from where they were last read to. */
interface Followed {
  readonly config: RunConfig
  readonly from: Map<string, number[]>
  readonly view: RunView
}

/** Only the last round and the last losses are shown. */
const viewLimits = { rounds: 16, sampledRounds: 1, steps: 64 }

/** Follows a cluster: each `look` reads what is new since the last one. */
export class Watch {
  readonly #options: WatchOptions
  readonly #rates = new Rates()
  readonly #lags: StationLags
  readonly #runs = new Map<string, Followed>()

  constructor(options: WatchOptions) {
    this.#options = options
    this.#lags = new StationLags(options.runtime.kafka)
  }

  async look(): Promise<Numbers> {
    const { runtime, labelers, clock, pid } = this.#options
    await this.#learnRuns()
    await Promise.all([...this.#runs.values()].map((run) => this.#follow(run)))
    const names = (await runtime.kafka.topicNames()).filter((name) => name.startsWith('winnow.'))
    const ends = new Map<string, number[]>()
    await Promise.all(names.map(async (name) => ends.set(name, await runtime.kafka.endOffsets(name))))
    const runs = [...this.#runs.values()]
    const [counts, lags, memory] = await Promise.all([
      countDocuments(runtime, labelers),
      this.#lags.measure({ labelers, runs: runs.map(({ config }) => config) }, ends),
      pid === undefined ? undefined : memoryOf(pid),
    ])
    const atMs = clock()
    const perSecond = this.#rates.of(
      atMs,
      new Map([
        ...[...ends].map(([topic, offsets]) => [topic, sumOf(offsets)] as const),
        ...runs.map(({ config, view }) => [tokensOf(config.name), view.lastReport?.tokens ?? 0] as const),
      ]),
    )
    return {
      atMs,
      documents: counts.documents,
      labelled: counts.complete,
      deadLetters: sumOf(ends.get(winnowTopics.deadLetters.name) ?? []),
      memoryBytes: memory ?? null,
      topics: [...ends]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([topic, offsets]) => ({
          topic,
          records: sumOf(offsets),
          perSecond: perSecond(topic) ?? null,
          lags: lags.filter((lag) => lag.topic === topic).map(lagOf),
        })),
      runs: runs.map((run) => numbersOf(run, atMs, perSecond(tokensOf(run.config.name)) ?? null)),
    }
  }

  async #learnRuns(): Promise<void> {
    for (const { run, config, replayOf } of (await listRuns(this.#options.runtime)).values()) {
      if (replayOf !== null || this.#runs.has(run)) continue
      this.#runs.set(run, {
        config: parseRunConfig(JSON.parse(config)),
        from: new Map(),
        view: new RunView(viewLimits),
      })
    }
  }

  async #follow(run: Followed): Promise<void> {
    const { progress, consoleState } = runTopics(run.config.name)
    for (const { name } of [progress, consoleState]) await this.#readOn(run, name)
  }

  async #readOn(run: Followed, topic: string): Promise<void> {
    const { kafka, codec } = this.#options.runtime
    const from = run.from.get(topic) ?? []
    run.from.set(topic, from)
    for await (const records of kafka.read(topic, from)) {
      for (const { partition, offset, value } of records) {
        from[partition] = offset + 1
        if (value === null) continue
        const decoded = await readable(() => codec.decode(value))
        if (decoded !== undefined) run.view.apply(decoded)
      }
    }
  }
}

const tokensOf = (run: string): string => `tokens of ${run}`
const lagOf = ({ run, station, partitions }: StationLag) => ({
  station: run === null ? station : `${station} of ${run}`,
  records: sumOf(partitions),
})

function numbersOf({ config, view }: Followed, atMs: number, tokensPerSecond: number | null): RunNumbers {
  const { lastReport: progress, lastOpened: opened, lastClosed: closed, lastManifest: manifest } = view
  const evaluation = view.lastWith('referenceLoss')
  const round = opened?.round ?? null
  const state =
    round === null ? 'waiting' : manifest?.round === round ? 'selected' : closed?.round === round ? 'closed' : 'open'
  const openedMs =
    opened === undefined || opened.deadlineMs === null ? null : opened.deadlineMs - config.rewardDeadlineSeconds * 1000
  return {
    run: config.name,
    step: progress?.step ?? 0,
    steps: config.steps,
    tokens: progress?.tokens ?? 0,
    tokensPerSecond,
    round,
    state,
    roundSeconds: openedMs === null || state === 'selected' ? null : Math.max(0, (atMs - openedMs) / 1000),
    rewardsAsked: sumOf(opened?.samples.map(({ docIds }) => docIds.length) ?? []),
    rewardsMissing: closed?.missing ?? null,
    selected: manifest?.documents ?? null,
    theta: Object.fromEntries(manifest?.actors.map((actor, a) => [actor, manifest.theta[a]!]) ?? []),
    trainLoss: view.lastWith('trainLoss')?.trainLoss ?? null,
    referenceLoss: evaluation?.referenceLoss ?? null,
    corpusLoss: evaluation?.corpusLoss ?? null,
  }
}
