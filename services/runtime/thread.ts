import { Worker } from 'node:worker_threads'
import { WinnowError } from './errors.ts'
import { switchOffTelemetry } from './telemetry-off.ts'
import { errorOf, type FailureParts, type FromThread, type ToThread } from './thread-protocol.ts'

export interface ThreadOptions {
  readonly workerData: unknown
  /** Its name in errors: `labeling thread`. */
  readonly name: string
}

interface Pending<Answer> {
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/**
 * The main thread's end of a worker thread that answers requests (`answerRequests`). A thread that ends unexpectedly fails its current and all
 * later requests: its state is never silently rebuilt.
 */
export class Thread<Request, Answer> {
  /** Resolves when it can answer; rejects if it cannot start. */
  readonly ready: Promise<void>
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>
  readonly #worker: Worker
  readonly #name: string
  readonly #pending = new Map<number, Pending<Answer>>()
  #ids = 0
  #failure: WinnowError | undefined
  #closing: Promise<unknown> | undefined

  constructor(script: URL, { workerData, name }: ThreadOptions) {
    this.#name = name
    switchOffTelemetry()
    this.#worker = new Worker(script, { workerData })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    // Not everybody waits for it: a request fails as well.
    promise.catch(() => {})
    const fail = (error: WinnowError) => {
      this.#fail(error)
      reject(error)
    }
    this.#worker.on('message', (message: FromThread<Answer>) => {
      if ('ready' in message) resolve()
      else if ('unusable' in message) fail(errorOf(message.unusable))
      else this.#settle(message)
    })
    this.#worker.on('error', (cause) =>
      fail(new WinnowError('UNEXPECTED', `A ${name} failed: ${String(cause)}`, { cause })),
    )
    this.ended = new Promise((over) => {
      this.#worker.on('exit', (code) => {
        fail(new WinnowError('UNEXPECTED', `A ${name} has ended, exit code ${code}`))
        over()
      })
    })
  }

  /** Whether it no longer answers. */
  get failed(): boolean {
    return this.#failure !== undefined
  }

  /** How many requests are unanswered. */
  get unanswered(): number {
    return this.#pending.size
  }

  /** Arrays are copied unless their buffers are in `transfer`. */
  ask(request: Request, transfer: readonly ArrayBuffer[] = []): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const id = this.#ids++
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    this.#pending.set(id, { resolve, reject })
    this.#worker.postMessage({ id, request } satisfies ToThread<Request>, transfer)
    return promise
  }

  /** Refuses further requests, finishes the pending ones, and ends the thread. */
  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    // It no longer answers, this included.
    if (this.#failure !== undefined) return void (await this.#worker.terminate())
    this.#failure = new WinnowError('INTERRUPTED', `The ${this.#name} was closed`)
    this.#worker.postMessage({ close: true } satisfies ToThread<Request>)
    await this.ended
  }

  #settle(message: { id: number } & ({ answer: Answer } | { failure: FailureParts })): void {
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if ('failure' in message) pending?.reject(errorOf(message.failure))
    else pending?.resolve(message.answer)
  }

  #fail(error: WinnowError): void {
    this.#failure ??= error
    for (const { reject } of this.#pending.values()) reject(this.#failure)
    this.#pending.clear()
  }
}
