import { runTopics, Work } from '../../schemas/index.ts'
import type { Booking } from '../../topologies/ledger/booking.ts'
import { forward, forwardAndBackward, type WorkKind, workKey, workOn } from '../../topologies/ledger/pieces.ts'
import { modelCost } from '../model/cost.ts'
import type { Model } from '../model/model.ts'
import type { Codec } from '../runtime/codec.ts'
import type { Producer } from '../runtime/kafka/port.ts'

export interface WorkBookPorts {
  readonly model: Pick<Model, 'description' | 'device'>
  readonly producer: Pick<Producer, 'transaction'>
  readonly codec: Pick<Codec, 'encode'>
  /** Left out: nothing is booked. */
  readonly booking?: Booking | undefined
}

/** Books a training by its steps: those repeated from a checkpoint after a kill are the same pieces of work. */
export class WorkBook {
  readonly #run: string
  readonly #ports: WorkBookPorts
  readonly #tokensPerStep: number
  #steps: number
  #sinceMs: number

  /** @param steps those done before, which are booked */
  constructor(run: string, ports: WorkBookPorts, tokensPerStep: number, steps: number) {
    this.#run = run
    this.#ports = ports
    this.#tokensPerStep = tokensPerStep
    this.#steps = steps
    this.#sinceMs = ports.booking?.now() ?? 0
  }

  /** Books the steps since the last call. Called before a checkpoint is written: steps that it contains will not be done again. */
  async trained(steps: number): Promise<void> {
    const { booking, model } = this.#ports
    if (booking === undefined || steps === this.#steps) return
    const seconds = (booking.now() - this.#sinceMs) / 1000
    const items = Array.from({ length: steps - this.#steps }, (_, i) => ({
      at: this.#steps + i,
      tokens: this.#tokensPerStep,
    }))
    const pieces = workOn(this.#kind('training', 'steps'), modelCost(model, forwardAndBackward), items, steps, seconds)
    // A step is no document.
    await this.#send(pieces.map((piece) => ({ ...piece, documents: 0 })))
    this.#steps = steps
    this.#sinceMs = booking.now()
  }

  /** Books the evaluation after a step, which took since the last call of anything here. */
  async evaluated(step: number, sequences: number, tokens: number): Promise<void> {
    const { booking, model } = this.#ports
    if (booking === undefined) return
    const seconds = (booking.now() - this.#sinceMs) / 1000
    const kind = this.#kind('evaluation', 'evaluations')
    const pieces = workOn(kind, modelCost(model, forward), [{ at: step, tokens }], step + 1, seconds)
    await this.#send(pieces.map((piece) => ({ ...piece, documents: sequences })))
    this.#sinceMs = booking.now()
  }

  #kind(purpose: 'training' | 'evaluation', stream: string): WorkKind {
    return { run: this.#run, purpose, subject: 'reference trainer', stream, partition: 0 }
  }

  async #send(pieces: readonly Work[]): Promise<void> {
    const topic = runTopics(this.#run).work.name
    const { producer, codec } = this.#ports
    const records = pieces.map((value) => ({ topic, key: workKey(value), value: codec.encode(Work, value) }))
    await producer.transaction((send) => send(records))
  }
}
