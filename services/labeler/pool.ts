import { Worker } from 'node:worker_threads'
import { WinnowError } from '../runtime/errors.ts'

/** What a worker answers: first `ready`, then one message for each request. */
export type WorkerAnswer<Response> = { id: number; response: Response } | { id: number; failure: string }

interface Waiting<Response> {
  resolve(response: Response): void
  reject(error: Error): void
  settled: Promise<Response>
}

interface Thread<Response> {
  worker: Worker
  waiting: Map<number, Waiting<Response>>
}

/**
 * A fixed number of worker threads that answer requests `{id, request}`. A request goes to the thread with the fewest unanswered ones;
 * callers bound how many those are. A thread that ends unasked fails its requests and all later ones: state is not rebuilt behind anyone's back.
 */
export class WorkerPool<Request, Response> {
  readonly #threads: Thread<Response>[]
  #nextId = 0
  #broken: WinnowError | undefined
  #closed = false

  private constructor(threads: Thread<Response>[]) {
    this.#threads = threads
  }

  /** Starts the threads and waits until each has said `ready`. @throws WinnowError MODEL_UNUSABLE if one says `{unusable}` instead */
  static async start<Request, Response>(
    script: URL,
    workerData: unknown,
    threads: number,
  ): Promise<WorkerPool<Request, Response>> {
    const started = Array.from({ length: threads }, () => ({
      worker: new Worker(script, { workerData }),
      waiting: new Map(),
    }))
    const pool = new WorkerPool<Request, Response>(started)
    try {
      await Promise.all(started.map(({ worker }) => ready(worker)))
    } catch (error) {
      await pool.close()
      throw error
    }
    for (const thread of started) pool.#listen(thread)
    return pool
  }

  get size(): number {
    return this.#threads.length
  }

  ask(request: Request): Promise<Response> {
    if (this.#broken) return Promise.reject(this.#broken)
    const thread = this.#threads.reduce((least, other) => (other.waiting.size < least.waiting.size ? other : least))
    const id = this.#nextId++
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    thread.waiting.set(id, { resolve, reject, settled: promise })
    thread.worker.postMessage({ id, request })
    return promise
  }

  /** Refuses further requests, waits for the answers to those under way, and ends the threads. */
  async close(): Promise<void> {
    this.#broken ??= new WinnowError('INTERRUPTED', 'The labeler was closed')
    await Promise.allSettled(
      this.#threads.flatMap(({ waiting }) => [...waiting.values()].map(({ settled }) => settled)),
    )
    this.#closed = true
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  #listen(thread: Thread<Response>): void {
    thread.worker.on('message', (answer: WorkerAnswer<Response>) => {
      const waiting = thread.waiting.get(answer.id)
      thread.waiting.delete(answer.id)
      if ('failure' in answer) waiting?.reject(new WinnowError('UNEXPECTED', `Labelling failed: ${answer.failure}`))
      else waiting?.resolve(answer.response)
    })
    const fail = (cause: unknown) => {
      if (this.#closed) return
      this.#break(
        new WinnowError('UNEXPECTED', 'A labeling thread ended', {
          hint: 'Restart the labeler; see the cause for why.',
          cause,
        }),
      )
    }
    thread.worker.on('error', fail)
    thread.worker.on('exit', (code) => fail(new Error(`exit code ${code}`)))
  }

  #break(error: WinnowError): void {
    this.#broken = error
    for (const { waiting } of this.#threads) {
      for (const { reject } of waiting.values()) reject(error)
      waiting.clear()
    }
  }
}

function ready(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('message', (message: 'ready' | { unusable: string; hint: string }) => {
      if (message === 'ready') resolve()
      else reject(new WinnowError('MODEL_UNUSABLE', message.unusable, { hint: message.hint }))
    })
    worker.once('error', reject)
    worker.once('exit', (code) =>
      reject(new WinnowError('UNEXPECTED', `A labeling thread ended at its start, exit code ${code}`)),
    )
  })
}
