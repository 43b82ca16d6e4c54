import { setTimeout as sleep } from 'node:timers/promises'
import { runTopics, topics } from '../../schemas/index.ts'
import type { Runtime } from '../connections/connections.ts'
import { FollowedEvalSets } from '../host/eval-sets.ts'
import { type StationLag, StationLags } from '../runs/lag.ts'
import { withPreparing } from '../runs/preparing.ts'
import { type RunMember, runState } from '../runs/run-state.ts'
import { systemClock } from '../runtime/clock.ts'
import type { EventHub } from './events.ts'
import { Follower } from './follower.ts'
import type { BoardModel } from './model.ts'
import type { StationActivity } from './shape.ts'
import { StationWatch } from './stations.ts'
import { TrafficMeter } from './traffic.ts'

/** A change is on the page after at most this long, plus the time to read it. */
const pollMs = 400
/** Nobody is watching: often enough that the page is up to date at once when somebody opens it. */
const pollUnwatchedMs = 3000
const lagMs = 800
const beatMs = 15_000
/** A coordinator that moves or has just started answers next time; what lasts longer is reported. */
const failuresQuiet = 2

/** Keeps the board's model up to date with the topics, and sends changes to the pages. */
export class Refresher {
  readonly #runtime: Runtime
  readonly #model: BoardModel
  readonly #events: EventHub
  readonly #follower: Follower
  readonly #traffic = new TrafficMeter()
  readonly #lags: StationLags
  readonly #stations = new StationWatch()
  readonly #evalSets: FollowedEvalSets
  #lag: StationLag[] = []
  #activity: StationActivity[] = []
  #lagAtMs = Number.NEGATIVE_INFINITY
  #beatAtMs = systemClock()
  #failures = 0
  /** Whether all topics have been read to their ends at least once. */
  hasRead = false

  constructor(runtime: Runtime, model: BoardModel, events: EventHub) {
    this.#runtime = runtime
    this.#model = model
    this.#events = events
    this.#follower = new Follower(runtime, model)
    this.#lags = new StationLags(runtime.kafka)
    this.#evalSets = new FollowedEvalSets(runtime)
  }

  /** Runs until the signal. If the broker is away, the board shows what it knows, and says so, until it comes back. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#refresh()
      } catch (error) {
        this.#failed(error, signal)
      }
      try {
        const changes = this.#model.takeChanges()
        if (changes !== undefined) this.#events.send(changes)
      } catch (error) {
        // A page that is not told something is no reason to end what runs beside the board.
        this.#runtime.log.error({ err: error }, 'the pages of the board could not be told of a change')
      }
      await pause(() => (this.#events.watched ? pollMs : pollUnwatchedMs), signal)
    }
  }

  async #refresh(): Promise<void> {
    await this.#follower.poll()
    const nowMs = systemClock()
    const { ends } = this.#follower
    if (nowMs - this.#lagAtMs >= lagMs) {
      const { version: evalSets } = await this.#evalSets.now()
      this.#model.setEvalSets(evalSets)
      const runs = [...this.#model.runs.values()].map(({ config }) => config)
      const groups = await this.#runtime.kafka.consumerGroups('winnow.')
      this.#lag = await this.#lags.measure({ runs, evalSets }, ends, groups)
      this.#activity = this.#stations.look(nowMs, { runs, evalSets, groups, ends, lag: this.#lag })
      await this.#tellStates()
      this.#lagAtMs = nowMs
    }
    this.#model.setTraffic({
      topics: this.#traffic.rates(nowMs, ends, this.#counted()),
      lag: this.#lag,
      stations: this.#activity,
    })
    if (nowMs - this.#beatAtMs >= beatMs) {
      this.#events.beat()
      this.#beatAtMs = nowMs
    }
    this.hasRead = true
    this.#failures = 0
    this.#model.setProblem(null)
  }

  /** Of topics that are not read, what sources and console say of them. */
  #counted(): ReadonlyMap<string, number> {
    const counts = new Map(this.#follower.records)
    const { documents } = this.#model
    if (documents !== null && documents > 0) counts.set(topics.documents.name, documents)
    for (const [name, { model }] of this.#model.runs) {
      const { rewardRequests, selections } = runTopics(name)
      if (model.told === null) continue
      counts.set(rewardRequests.name, model.told.rewardRequests)
      counts.set(selections.name, model.told.selections)
    }
    return counts
  }

  async #tellStates(): Promise<void> {
    for (const [name, { config, model, record }] of this.#model.runs) {
      const isThere = ({ run, members }: StationActivity) => run === name && members > 0
      const members = new Set(this.#activity.filter(isThere).map(({ station }) => station as RunMember))
      const started = this.#follower.existing.has(runTopics(name).consoleState.name)
      const state = runState({ record, config, view: model.view, started, members })
      this.#model.setStatus(name, await withPreparing(this.#runtime, config, state))
    }
  }

  #failed(error: unknown, signal: AbortSignal): void {
    const message = error instanceof Error ? error.message : String(error)
    this.#failures++
    const isNews = this.#failures > failuresQuiet && !signal.aborted && this.#model.setProblem(message)
    if (isNews) this.#runtime.log.warn({ err: error }, 'the board cannot read')
  }
}

/** Waits in small steps, so that a newly opened page does not wait for the long pause. */
async function pause(wantedMs: () => number, signal: AbortSignal): Promise<void> {
  const stepMs = 100
  for (let waitedMs = 0; waitedMs < wantedMs() && !signal.aborted; waitedMs += stepMs) {
    await sleep(stepMs, undefined, { signal }).catch(() => {})
  }
}
