import { Subject } from 'rxjs'
import {
  ActorState,
  type Offset,
  type Partition,
  Reward,
  RoundClosed,
  RoundOpened,
  runTopics,
} from '../../schemas/index.ts'
import { foldRounds } from '../actor.ts'
import type { Delivered, Output, Processor } from '../node.ts'
import { type RunConfig, rewardedRun } from '../run-config.ts'

const inputs = new Set<string>([Reward.name, RoundOpened.name, RoundClosed.name])

/** A running actor: the RxJS fold between a consumer and a compacted topic. Its state record says where its input resumes. */
export class ActorStation implements Processor {
  readonly #run: RunConfig
  readonly #actor: string
  readonly #output: Output
  #records$ = new Subject<Delivered>()
  #folded: ActorState[] = []
  #failure: unknown
  #restored: ActorState | undefined

  constructor(run: RunConfig, actor: string, output: Output) {
    this.#run = run
    this.#actor = actor
    this.#output = output
  }

  /** Restores the actor's last state from the records of `actor-state`. Called once, before anything else. */
  restore(states: readonly Delivered[]): void {
    for (const { value } of states as readonly Delivered<ActorState>[]) {
      if (value.actor === this.#actor && value.round > (this.#restored?.round ?? -1)) this.#restored = value
    }
    this.#records$.pipe(foldRounds(this.#run, this.#actor, this.#restored)).subscribe({
      next: (state) => this.#folded.push(state),
      error: (error: unknown) => {
        this.#failure = error
      },
    })
  }

  /** Where to resume reading after restore(). The console's few decisions are read from the start. */
  startOffset(topic: string, partition: Partition): Offset {
    if (topic !== runTopics(rewardedRun(this.#run)).rewards.name) return 0
    return this.#restored?.inputOffsets.find((offset) => offset.partition === partition)?.offsetNext ?? 0
  }

  async process(batch: readonly Delivered[]): Promise<void> {
    for (const delivered of batch) if (inputs.has(delivered.record)) this.#records$.next(delivered)
    if (this.#failure !== undefined) throw this.#failure
    const states = this.#folded
    if (states.length === 0) return
    const topic = runTopics(this.#run.name).actorState.name
    await this.#output.send(
      states.map((state) => ({ topic, record: ActorState, key: `${state.actor}/${state.round}`, value: state })),
    )
    this.#folded = []
  }
}
