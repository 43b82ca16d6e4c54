import { Worker } from 'node:worker_threads'
import { type ErrorCode, WinnowError } from '../../runtime/errors.ts'
import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import type { SharedTensors } from '../checkpoints/read.ts'
import type { CheckpointStore } from '../checkpoints/store.ts'
import type { Answer, Argument, FailureParts, OperationName, Request, Response, WorkerOptions } from './operations.ts'
import { guardExit, guardMemory, unguardExit } from './run-guard.ts'

interface Pending {
  resolve(answer: unknown): void
  reject(error: unknown): void
}

/** The main thread's end of one worker thread. */
export class ModelWorker {
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  readonly #ended: Promise<void>
  readonly #checkpoints: CheckpointStore
  /** Calls that wait for their checkpoint. */
  readonly #waiting = new Set<Promise<unknown>>()
  #ids = 0
  #failure: WinnowError | undefined

  constructor(options: Omit<WorkerOptions, 'guard'>, checkpoints: CheckpointStore) {
    this.#checkpoints = checkpoints
    const guard = guardMemory()
    const workerData: WorkerOptions = { ...options, guard }
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData })
    guardExit(guard)
    this.#worker.on('message', (response: Response) => this.#settle(response))
    this.#worker.on('error', (cause) =>
      this.#fail(new WinnowError('UNEXPECTED', `A model worker failed: ${String(cause)}`, { cause })),
    )
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        unguardExit(guard)
        this.#fail(new WinnowError('UNEXPECTED', 'The model worker has ended'))
        resolve()
      })
    })
  }

  /**
   * Asks the worker; answers come in the order of the calls, but for those that wait until their checkpoint is read. Arrays are copied
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
    checkpoint: Checkpoint,
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
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const id = this.#ids++
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: (answer) => resolve(answer as Answer<N>), reject })
      const request: Request = { id, operation, argument, ...state }
      this.#worker.postMessage(request, transfer)
    })
  }

  /** Lets the calls that were made finish, then ends the thread. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#waiting)
    if (this.#failure === undefined) this.#worker.postMessage({ close: true } satisfies Request)
    await this.#ended
  }

  #settle(response: Response): void {
    const pending = this.#pending.get(response.id)
    this.#pending.delete(response.id)
    if ('failure' in response) pending?.reject(errorOf(response.failure))
    else pending?.resolve(response.answer)
  }

  #fail(error: WinnowError): void {
    this.#failure ??= error
    for (const { reject } of this.#pending.values()) reject(this.#failure)
    this.#pending.clear()
  }
}

function errorOf({ code, message, hint, stack }: FailureParts): WinnowError {
  const cause = new Error(message)
  if (stack !== undefined) cause.stack = stack
  return new WinnowError(code as ErrorCode, message, hint === undefined ? { cause } : { hint, cause })
}
