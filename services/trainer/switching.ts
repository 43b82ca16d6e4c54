import { type Progress, RoundAdopted, runTopics } from '../../schemas/index.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { type Codec, readable } from '../runtime/codec.ts'
import type { Kafka } from '../runtime/kafka/port.ts'

/** Steps between two looks of mode `ready`, where a run does not say. */
const everyDefault = 10

/** When a training goes on to the selection of which round (docs/trainer.md, "Modes"). */
export interface Switching {
  /**
   * The round that the step after `step` optimizer steps trains on. Asked before every step, with the round of the step before.
   */
  next(step: number, round: number): Promise<number>
  /** The round that the last of `step` steps was trained on, by what is recorded. */
  before(step: number): number
}

interface ReadyPorts {
  /** The newest round that has a selection with documents; -1: none. */
  readonly newest: () => number
  /** What was decided before, by the step that it begins with. */
  readonly decided: ReadonlyMap<number, number>
  /** Writes a decision: returns when the brokers have it. */
  readonly decide: (adopted: RoundAdopted) => Promise<void>
}

type Run = Pick<RunConfig, 'name' | 'steps' | 'updateSteps'> & {
  trainer: Pick<RunConfig['trainer'], 'batch' | 'switch'>
}

/** N of mode `ready`; undefined: the run's mode is another. */
export function readyEvery({ trainer: { switch: mode } }: Pick<Run, 'trainer'>): number | undefined {
  if (mode === 'ready') return everyDefault
  return typeof mode === 'object' && 'ready' in mode ? mode.ready : undefined
}

/** `wait` and `lag`: the run's configuration alone says when. Round k begins at step kU + L. */
export function roundByLag({ updateSteps, trainer: { switch: mode } }: Run, step: number): number {
  const lag = typeof mode === 'object' && 'lag' in mode ? mode.lag : 0
  return Math.max(0, Math.floor((step - lag) / updateSteps))
}

export const byLag = (run: Run): Switching => ({
  next: async (step) => roundByLag(run, step),
  before: (step) => roundByLag(run, step - 1),
})

/**
 * `ready`: before the first step after each multiple of N steps it is decided which round begins N steps later: the newest that is selected. The decision
 * is a record, so a training that goes back to an earlier checkpoint begins with the same rounds at the same steps.
 */
export class Ready implements Switching {
  readonly #run: Run
  readonly #every: number
  readonly #ports: ReadyPorts
  readonly #decided: Map<number, number>

  constructor(run: Run, every: number, ports: ReadyPorts) {
    this.#run = run
    this.#every = every
    this.#ports = ports
    this.#decided = new Map(ports.decided)
  }

  before(step: number): number {
    const last = Math.max(0, ...[...this.#decided.keys()].filter((begins) => begins < step))
    return this.#decided.get(last) ?? 0
  }

  async next(step: number, round: number): Promise<number> {
    const now = this.#decided.get(step) ?? round
    const at = (Math.floor(step / this.#every) + 1) * this.#every
    if (at < this.#run.steps && !this.#decided.has(at)) {
      const later = Math.max(now, this.#ports.newest())
      await this.#ports.decide({
        ...{ run: this.#run.name, round: later, step: at, sequenceFirst: at * this.#run.trainer.batch },
        ...{ previousRound: now, previousRead: null },
      })
      this.#decided.set(at, later)
    }
    return now
  }
}

/** What a run's trainers have decided so far, by the step that it begins with. */
export async function readDecisions(
  { kafka, codec }: { kafka: Pick<Kafka, 'read'>; codec: Codec },
  run: string,
): Promise<Map<number, number>> {
  const decided = new Map<number, number>()
  for await (const records of kafka.read(runTopics(run).progress.name, [])) {
    for (const { value: bytes } of records) {
      // Invalid record: the console sends it to dead letters.
      const decoded = bytes === null ? undefined : await readable(() => codec.decode(bytes))
      if (decoded?.record !== RoundAdopted.name) continue
      const { run: owner, step, round, previousRead } = decoded.value as RoundAdopted
      if (owner === run && previousRead === null && !decided.has(step)) decided.set(step, round)
    }
  }
  return decided
}

/** The record of a round's beginning. @param before where the training was; undefined: it begins with this round */
export const beginning = (
  run: Run,
  round: number,
  step: number,
  before: Pick<Progress, 'round' | 'position'> | undefined,
): RoundAdopted => ({
  ...{ run: run.name, round, step, sequenceFirst: step * run.trainer.batch },
  ...{ previousRound: before?.round ?? null, previousRead: before?.position ?? null },
})
