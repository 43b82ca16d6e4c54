import { Worker } from 'node:worker_threads'
import { type ErrorCode, WinnowError } from '../../runtime/errors.ts'
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
  #ids = 0
  #failure: WinnowError | undefined

  constructor(options: Omit<WorkerOptions, 'guard'>) {
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

  /** Asks the worker; answers come in the order of the calls. Arrays are copied unless their buffers are in `transfer`. */
  call<N extends OperationName>(operation: N, argument: Argument<N>, transfer: ArrayBuffer[] = []): Promise<Answer<N>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const id = this.#ids++
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: (answer) => resolve(answer as Answer<N>), reject })
      this.#worker.postMessage({ id, operation, argument } satisfies Request, transfer)
    })
  }

  /** Lets the calls that were made finish, then ends the thread. */
  async close(): Promise<void> {
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
