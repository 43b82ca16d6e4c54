import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { namesTaken } from '../runs/registry.ts'
import { replayRun } from '../runs/replay/changes.ts'
import type { RoundComparison } from '../runs/replay/compare.ts'
import { freeReplayName } from '../runs/replay/name.ts'
import { replay } from '../runs/replay/replay.ts'
import { Exclusive } from '../runtime/exclusive.ts'

/** Finished replays whose comparison is kept; their runs stay in the log. */
const keptMax = 20

export interface StartedReplay {
  readonly name: string
  readonly of: string
  /** Whether hyperparameters were changed: then it is an experiment, and differences are its result. */
  readonly changed: boolean
  readonly rounds: RoundComparison[]
  state: 'running' | 'done' | 'failed'
  error: string | null
}

/** Replays that were started from the page, one at a time: each reads whole topics. */
export class Replays {
  readonly #runtime: Runtime
  #started: StartedReplay[] = []
  readonly #exclusive = new Exclusive()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  list(): readonly StartedReplay[] {
    return this.#started
  }

  /** @returns once the configuration is known to be valid; the replay continues. @throws WinnowError CONFIGURATION */
  async start(recorded: RunConfig, changes: object): Promise<StartedReplay> {
    const taken = [...(await namesTaken(this.#runtime)), ...this.#started.map(({ name }) => name)]
    const run = replayRun(recorded, freeReplayName(recorded.name, taken), changes)
    const changed = Object.keys(changes).length > 0
    const one: StartedReplay = {
      name: run.name,
      of: recorded.name,
      changed,
      rounds: [],
      state: 'running',
      error: null,
    }
    this.#started = [one, ...this.#started].slice(0, keptMax)
    void this.#exclusive.run(() => this.#run(one, recorded, run))
    return one
  }

  /** Waits for the running replay. */
  async close(): Promise<void> {
    await this.#exclusive.idle()
  }

  async #run(one: StartedReplay, recorded: RunConfig, run: RunConfig): Promise<void> {
    try {
      await replay({
        runtime: this.#runtime,
        recorded,
        replay: run,
        onRound: (comparison) => one.rounds.push(comparison),
      })
      one.state = 'done'
    } catch (error) {
      one.state = 'failed'
      one.error = error instanceof Error ? error.message : String(error)
      this.#runtime.log.warn({ err: error, replay: one.name }, 'a replay from the board failed')
    }
  }
}
