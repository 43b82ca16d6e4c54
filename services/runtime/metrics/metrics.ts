import { setTimeout as sleep } from 'node:timers/promises'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../clock.ts'
import { Readiness } from './readiness.ts'

/** From a batch of a few records to one that waits for a database: 1 ms to a minute. */
const batchSecondsBuckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60]
/** From a selection of a small corpus to rewards on a slow machine: 10 ms to an hour. */
const roundSecondsBuckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 900, 3600]

/** A station's lag by topic, as Kafka counts it now, and the records held back by an open transaction. */
export type LagOf = () => Promise<readonly TopicLag[]>

export interface TopicLag {
  readonly topic: string
  readonly records: number
  readonly heldBack: number
}

/** What takes longer to get is left out of the scrape, which must not wait for a broker or ClickHouse that is away. */
const askMsMax = 2000

/** A running station, as a scrape sees it; per-record counts cost the scrape, not the station. */
export interface MeteredStation {
  readonly station: string
  readonly run?: string | undefined
  readonly stats: () => {
    readonly read: Readonly<Record<string, number>>
    readonly written: Readonly<Record<string, number>>
    readonly deadLetters: number
    readonly retries: number
  }
  readonly lagOf: LagOf
  /** The topic of each partition that it does not read, because records before its next one are gone. */
  readonly waitingFor?: () => readonly string[]
}

/** A health check sooner than this gets the last result: each check opens connections. */
const healthMs = 2000

/** A scrape sooner than this gets the last count of erasures that left keys: it reads all exclusions. */
const erasuresMs = 60_000

/** The metrics of one process, in a registry of its own. Names and labels are a contract: the dashboard and alerts rely on them. */
export class Metrics {
  readonly registry = new Registry()
  readonly clock: Clock
  readonly readiness = new Readiness()
  readonly #stations = new Set<MeteredStation>()
  readonly #running = new Set<MeteredStation>()
  #ask: () => Promise<readonly Error[]> = async () => []
  #asked: { atMs: number; found: Promise<string[]> } | undefined
  #asking: Promise<(TopicLag & { station: MeteredStation })[]> | undefined
  #erasuresLeft: (() => Promise<number>) | undefined
  readonly #batch = this.#histogram(
    'winnow_batch_seconds',
    'From a batch read to its effects acknowledged',
    ['station', 'run'],
    batchSecondsBuckets,
  )
  /** Of one run: rounds, rewards, training. */
  readonly run = {
    roundOpenedAt: this.#gauge(
      'winnow_round_opened_timestamp_seconds',
      'When the current round, not selected yet, was opened; 0: none',
      ['run'],
    ),
    round: this.#gauge('winnow_round', 'The last round that was selected', ['run']),
    rewardsAsked: this.#counter('winnow_rewards_asked_total', 'Rewards asked for, of closed rounds', ['run']),
    rewardsMissing: this.#counter('winnow_rewards_missing_total', 'Rewards that had not come when their round closed', [
      'run',
    ]),
    rewardCoverage: this.#gauge(
      'winnow_reward_coverage_ratio',
      'Answered share of the rewards that the last closed round asked for',
      ['run'],
    ),
    rewardSeconds: this.#histogram(
      'winnow_round_reward_seconds',
      'From a round opened to closed',
      ['run'],
      roundSecondsBuckets,
    ),
    reselectionSeconds: this.#histogram(
      'winnow_reselection_seconds',
      'From a round closed to its selection committed',
      ['run'],
      roundSecondsBuckets,
    ),
    selectedDocuments: this.#gauge('winnow_selected_documents', 'Documents of the last selection', ['run']),
    duplicateLossRatio: this.#gauge(
      'winnow_duplicate_loss_ratio',
      'Share of a source of the documents lost to near duplicates in the last selection over its share of all; of losses that count (docs/duplicates.md)',
      ['run', 'source'],
    ),
    theta: this.#gauge('winnow_theta', 'Weight of an actor in the collaboration (Eq. 8)', ['run', 'actor']),
    selectionGain: this.#gauge(
      'winnow_selection_gain',
      'Mean reward of the last evaluated selection less that of a random document: estimate, low and high end of its 95% interval',
      ['run', 'bound'],
    ),
    roundsNoBetter: this.#gauge(
      'winnow_selection_rounds_no_better',
      'Evaluated rounds in a row, up to the last, whose selection is not seen to be better than random',
      ['run'],
    ),
    step: this.#gauge('winnow_trainer_step', 'Optimizer steps done', ['run']),
    steps: this.#gauge('winnow_trainer_steps_planned', 'Optimizer steps that the run makes', ['run']),
    tokens: this.#gauge('winnow_trainer_tokens', 'Tokens trained on', ['run']),
    loss: this.#gauge('winnow_trainer_loss', 'Nats per token: training, reference, corpus', ['run', 'kind']),
  } as const

  /** A series with the value 1: which machine produces the labels of a version. */
  readonly #labelers = this.#gauge('winnow_labeler_info', 'Labelers of this process: 1 for each, and what it runs on', [
    'actor',
    'version',
    'provider',
    'runtime',
    'instructions',
    'golden',
  ])

  /** Health of what this process depends on: `ask` returns an error for each part that does not answer. */
  dependsOn(ask: () => Promise<readonly Error[]>): void {
    this.#ask = ask
  }

  /** What blocks this process, a sentence each. */
  problems(): Promise<string[]> {
    const nowMs = this.clock()
    if (this.#asked === undefined || nowMs - this.#asked.atMs >= healthMs) {
      const found = this.#ask().then((errors) => errors.map(({ message }) => message))
      this.#asked = { atMs: nowMs, found }
    }
    return this.#asked.found
  }

  constructor(clock: Clock) {
    this.clock = clock
    collectDefaultMetrics({ register: this.registry })
    const perTopic = ['station', 'run', 'topic']
    this.#countedBy('winnow_records_read_total', 'Records read, dead letters included', perTopic, ({ read }) => read)
    this.#countedBy(
      'winnow_records_written_total',
      'Records written and acknowledged',
      perTopic,
      ({ written }) => written,
    )
    // Present from the start: a series that appears with its first error has no rate to alert on.
    const perStation = ['station', 'run']
    this.#countedBy(
      'winnow_dead_letters_total',
      'Records and rows that were rejected',
      perStation,
      (stats) => stats.deadLetters,
    )
    this.#countedBy('winnow_retries_total', 'Batches and ticks that were retried', perStation, (stats) => stats.retries)
    this.#collectWaiting()
    this.#collectErasuresLeft()
    this.#lagGauge('winnow_lag_records', 'Records of a topic that a station has not read', ({ records }) => records)
    this.#lagGauge(
      'winnow_held_back_records',
      'Records and markers of a topic behind the first open transaction, not readable yet',
      ({ heldBack }) => heldBack,
    )
  }

  #lagGauge(name: string, help: string, told: (lag: TopicLag) => number): void {
    const metrics = this
    new Gauge({
      name,
      help,
      labelNames: ['station', 'run', 'topic'],
      registers: [this.registry],
      async collect() {
        // Both gauges of a scrape ask at once; Kafka is asked once.
        metrics.#asking ??= metrics.#lags().finally(() => {
          metrics.#asking = undefined
        })
        const lags = await metrics.#asking
        this.reset()
        for (const lag of lags) this.set({ ...labelsOf(lag.station), topic: lag.topic }, told(lag))
      },
    })
  }

  /** Partitions of a topic that wait for somebody to decide; stations that wait for nothing have no entry. */
  #collectWaiting(): void {
    const running = this.#running
    new Gauge({
      name: 'winnow_waiting_partitions',
      help: 'Partitions that a station does not read because of a gap, until somebody decides',
      labelNames: ['station', 'run', 'topic'],
      registers: [this.registry],
      collect() {
        this.reset()
        for (const station of running)
          for (const topic of station.waitingFor?.() ?? []) this.inc({ ...labelsOf(station), topic })
      },
    })
  }

  /** How many documents an erasure has out whose texts have a key all the same; without anybody who counts them there is no sample. */
  #collectErasuresLeft(): void {
    const metrics = this
    let asked: { atMs: number; left: Promise<number | undefined> } | undefined
    new Gauge({
      name: 'winnow_erasures_left_documents',
      help: 'Documents that an erasure has taken out, and whose texts can still be read, since it was cut off (docs/erasure.md)',
      registers: [this.registry],
      async collect() {
        const ask = metrics.#erasuresLeft
        const nowMs = metrics.clock()
        // One that is late is waited for again, rather than asked beside itself.
        if (ask !== undefined && (asked === undefined || nowMs - asked.atMs >= erasuresMs)) {
          const left = ask().catch(() => {
            asked = undefined
            return undefined
          })
          asked = { atMs: nowMs, left }
        }
        const left = asked && (await inTime(asked.left, undefined))
        if (left === undefined) this.remove()
        else this.set(left)
      },
    })
  }

  /** @param ask counts the documents that an erasure has left with a key; asked at scrapes, each minute at most */
  countErasuresLeft(ask: () => Promise<number>): void {
    this.#erasuresLeft = ask
  }

  /** @returns `batch`, to be called for each batch, and `close`, for when the station ends; its counts stay */
  station(station: MeteredStation): { batch(seconds: number): void; close(): void } {
    this.#stations.add(station)
    this.#running.add(station)
    const labels = labelsOf(station)
    return {
      batch: (seconds) => this.#batch.observe(labels, seconds),
      close: () => this.#running.delete(station),
    }
  }

  labelerStarted(labeler: {
    readonly actor: string
    readonly version: string
    readonly provider: string
    readonly runtime: string
    readonly instructions: string
    readonly golden: string
  }): void {
    this.#labelers.set({ ...labeler }, 1)
  }

  /** A counter whose value is read from the stations on each scrape. */
  #countedBy(
    name: string,
    help: string,
    labelNames: string[],
    countOf: (stats: ReturnType<MeteredStation['stats']>) => number | Readonly<Record<string, number>>,
  ): void {
    const stations = this.#stations
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset()
        for (const station of stations) {
          const count = countOf(station.stats())
          if (typeof count === 'number') this.inc(labelsOf(station), count)
          else for (const [topic, records] of Object.entries(count)) this.inc({ ...labelsOf(station), topic }, records)
        }
      },
    })
  }

  async #lags(): Promise<(TopicLag & { station: MeteredStation })[]> {
    const asked = [...this.#running].map(async (station) => {
      const lags = await inTime(station.lagOf(), [])
      return lags.map((lag) => ({ ...lag, station }))
    })
    return (await Promise.all(asked)).flat()
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] })
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] })
  }

  #histogram(name: string, help: string, labelNames: string[], buckets: number[]): Histogram {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.registry] })
  }
}

/** What is asked for, or `otherwise` where that is late or fails. */
const inTime = <Asked, Otherwise>(asked: Promise<Asked>, otherwise: Otherwise): Promise<Asked | Otherwise> =>
  Promise.race([asked, sleep(askMsMax, otherwise, { ref: false })]).catch(() => otherwise)

const labelsOf = ({ station, run }: MeteredStation) => ({ station, run: run ?? '' })
