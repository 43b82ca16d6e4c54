import { Thread } from '../runtime/thread.ts'

/**
 * A fixed number of labeling threads. A request goes to the thread with the fewest unanswered ones; callers bound how many those are. Once a
 * thread has ended unexpectedly every later request fails: its state is never silently rebuilt.
 */
export class LabelingThreads<Request, Answer> {
  readonly #threads: readonly Thread<Request, Answer>[]

  private constructor(threads: readonly Thread<Request, Answer>[]) {
    this.#threads = threads
  }

  /** Resolves when all threads are ready. @throws the error of the first that fails, MODEL_UNUSABLE if the model is at fault */
  static async start<Request, Answer>(
    script: URL,
    workerData: unknown,
    count: number,
  ): Promise<LabelingThreads<Request, Answer>> {
    const threads = Array.from(
      { length: count },
      () => new Thread<Request, Answer>(script, { workerData, name: 'labeling thread' }),
    )
    const pool = new LabelingThreads(threads)
    try {
      await Promise.all(threads.map(({ ready }) => ready))
    } catch (error) {
      await pool.close()
      throw error
    }
    return pool
  }

  get size(): number {
    return this.#threads.length
  }

  ask(request: Request): Promise<Answer> {
    const broken = this.#threads.find(({ failed }) => failed)
    const thread = broken ?? this.#threads.reduce((a, b) => (b.unanswered < a.unanswered ? b : a))
    return thread.ask(request)
  }

  /** Refuses further requests, waits for the pending answers, and ends the threads. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()))
  }
}
