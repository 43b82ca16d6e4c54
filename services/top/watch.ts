import { topics as winnowTopics } from '../../schemas/index.ts'
import { isControl, selectsBy } from '../../topologies/selects-by.ts'
import type { Runtime } from '../connections/connections.ts'
import { FollowedEvalSets } from '../host/eval-sets.ts'
import { RunList } from '../host/run-list.ts'
import { FollowedRun, membersAmong } from '../runs/followed-run.ts'
import { countDocuments } from '../runs/label-progress.ts'
import { type StationLag, StationLags } from '../runs/lag.ts'
import { withPreparing } from '../runs/preparing.ts'
import { Rates } from '../runs/rates.ts'
import type { RunState, RunStateName } from '../runs/run-state.ts'
import { type UnreadableRun, unreadableIn } from '../runs/unreadable.ts'
import type { Clock } from '../runtime/clock.ts'
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
  readonly state: RunStateName
  /** What it waits for, in words; null: nothing. */
  readonly waitsFor: string | null
  /** It draws at random. */
  readonly control: boolean
  /** What it selects by, in words, in place of theta and weights; null: by those. */
  readonly selectsBy: string | null
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
  /** Recorded by another version of winnow. */
  readonly unreadable: readonly UnreadableRun[]
}

export interface WatchOptions {
  readonly runtime: Runtime
  readonly labelers: ReadonlyMap<string, string>
  readonly clock: Clock
  /** The process of a cluster on this machine. */
  readonly pid?: number
}

/** Only the last round and the last losses are shown. */
const viewLimits = { rounds: 16, sampledRounds: 1, steps: 64 }

/** Follows a cluster: each `look` reads what is new since the last one. */
export class Watch {
  readonly #options: WatchOptions
  readonly #rates = new Rates()
  readonly #lags: StationLags
  readonly #evalSets: FollowedEvalSets
  readonly #runs = new Map<string, FollowedRun>()

  constructor(options: WatchOptions) {
    this.#options = options
    this.#lags = new StationLags(options.runtime.kafka)
    this.#evalSets = new FollowedEvalSets(options.runtime)
  }

  async look(): Promise<Numbers> {
    const { runtime, labelers, clock, pid } = this.#options
    const unreadable = await this.#learnRuns()
    const all = await runtime.kafka.topicNames()
    const existing = new Set(all)
    await Promise.all([...this.#runs.values()].map((run) => run.look(runtime, existing)))
    const groups = await runtime.kafka.consumerGroups('winnow.')
    const members = membersAmong(groups, [...this.#runs.keys()])
    const names = shownTopics(all, new Set(this.#runs.keys()))
    const ends = new Map<string, number[]>()
    await Promise.all(names.map(async (name) => ends.set(name, await runtime.kafka.endOffsets(name))))
    const runs = [...this.#runs.values()]
    const { version: evalSets } = await this.#evalSets.now()
    const [counts, lags, memory] = await Promise.all([
      countDocuments(runtime, labelers),
      this.#lags.measure({ labelers, evalSets, runs: runs.map(({ config }) => config) }, ends, groups),
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
      runs: await Promise.all(
        runs.map(async (run) => {
          const state = await withPreparing(runtime, run.config, run.state(members.get(run.name)))
          return numbersOf(run, state, atMs, perSecond(tokensOf(run.config.name)) ?? null)
        }),
      ),
      unreadable,
    }
  }

  /** @returns those that cannot be read */
  async #learnRuns(): Promise<UnreadableRun[]> {
    const list = await RunList.read(this.#options.runtime)
    const { runs } = list
    for (const [name, record] of runs) {
      if (record.replayOf !== null || record.life === 'archived') continue
      const known = this.#runs.get(name)
      // Its name may have been deleted and recorded again.
      if (known === undefined || known.record.recordedMs !== record.recordedMs)
        this.#runs.set(name, new FollowedRun(record, viewLimits))
      else known.record = record
    }
    for (const name of this.#runs.keys()) {
      const record = runs.get(name)
      if (record === undefined || record.life === 'archived') this.#runs.delete(name)
    }
    return unreadableIn(list)
  }
}

const ofRun = /^winnow\.run\.([^.]+)\./

/** Those of the corpus and of the runs that are shown: replays and archived runs would push them off a screen. */
export const shownTopics = (names: readonly string[], runs: ReadonlySet<string>): string[] =>
  names.filter((name) => name.startsWith('winnow.') && runs.has(ofRun.exec(name)?.[1] ?? '') === ofRun.test(name))

const tokensOf = (run: string): string => `tokens of ${run}`
const lagOf = ({ run, station, partitions }: StationLag) => ({
  station: run === null ? station : `${station} of ${run}`,
  records: sumOf(partitions),
})

function numbersOf(
  { config, view }: FollowedRun,
  { state, waitsFor }: RunState,
  atMs: number,
  tokensPerSecond: number | null,
): RunNumbers {
  const { lastReport: progress, lastOpened: opened, lastClosed: closed, lastManifest: manifest } = view
  const evaluation = view.lastWith('referenceLoss')
  const round = opened?.round ?? null
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
    waitsFor,
    control: isControl(config),
    selectsBy: selectsBy(config),
    roundSeconds: openedMs === null || manifest?.round === round ? null : Math.max(0, (atMs - openedMs) / 1000),
    rewardsAsked: sumOf(opened?.samples.map(({ docIds }) => docIds.length) ?? []),
    rewardsMissing: closed?.missing ?? null,
    selected: manifest?.documents ?? null,
    theta: Object.fromEntries(manifest?.actors.map((actor, a) => [actor, manifest.theta[a]!]) ?? []),
    trainLoss: view.lastWith('trainLoss')?.trainLoss ?? null,
    referenceLoss: evaluation?.referenceLoss ?? null,
    corpusLoss: evaluation?.corpusLoss ?? null,
  }
}
