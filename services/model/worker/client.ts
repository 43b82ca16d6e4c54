import type { CheckpointRef } from '../../../topologies/stations/influence.ts'
import { Thread } from '../../runtime/thread.ts'
import type { SharedTensors } from '../checkpoints/read.ts'
import type { CheckpointStore } from '../checkpoints/store.ts'
import type { Answer, Argument, OperationName, Request, WorkerOptions } from './operations.ts'
import { guardExit, guardMemory, unguardExit } from './run-guard.ts'

/** The main thread's end of one worker thread. */
export class ModelWorker {
  readonly #thread: Thread<Request, unknown>
  readonly #checkpoints: CheckpointStore
  /** Calls that wait for their checkpoint. */
  readonly #waiting = new Set<Promise<unknown>>()

  constructor(options: Omit<WorkerOptions, 'guard'>, checkpoints: CheckpointStore) {
    this.#checkpoints = checkpoints
    const guard = guardMemory()
    const workerData: WorkerOptions = { ...options, guard }
    this.#thread = new Thread(new URL('./worker.ts', import.meta.url), { workerData, name: 'model worker' })
    guardExit(guard)
    void this.#thread.ended.then(() => unguardExit(guard))
  }

  /**
   * Calls the worker; replies come in the order of the calls, except for those that wait for their checkpoint to be read. Arrays are copied
   * unless their buffers are in `transfer`.
   */
  call<N extends OperationName>(operation: N, argument: Argument<N>, transfer: ArrayBuffer[] = []): Promise<Answer<N>> {
    if (!('checkpoint' in argument)) return this.#post(operation, argument, transfer)
    const answer = this.#atCheckpoint(operation, argument, argument.checkpoint)
    this.#waiting.add(answer)
    return answer.finally(() => this.#waiting.delete(answer))
  }

  #atCheckpoint<N extends OperationName>(
    operation: N,
    argument: Argument<N>,
    checkpoint: CheckpointRef,
  ): Promise<Answer<N>> {
    return this.#checkpoints.use(checkpoint, 'weights', (weights) => {
      const moments = 'preconditioner' in argument && argument.preconditioner === 'adam'
      if (!moments) return this.#post(operation, argument, [], { weights })
      return this.#checkpoints.use(checkpoint, 'second moments', (secondMoments) =>
        this.#post(operation, argument, [], { weights, secondMoments }),
      )
    })
  }

  #post<N extends OperationName>(
    operation: N,
    argument: Argument<N>,
    transfer: ArrayBuffer[],
    state: { weights?: SharedTensors; secondMoments?: SharedTensors } = {},
  ): Promise<Answer<N>> {
    return this.#thread.ask({ operation, argument, ...state }, transfer) as Promise<Answer<N>>
  }

  /** Lets pending calls finish, then ends the thread. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#waiting)
    await this.#thread.close()
  }
}
