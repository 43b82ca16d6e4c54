import { Thread } from '../runtime/thread.ts'

/**
 * A fixed number of threads that label. A request goes to the thread with the fewest unanswered ones; callers bound how many those are.
 * Where one thread has ended unasked every later request fails: its state is not rebuilt behind anyone's back.
 */
export class LabelingThreads<Request, Answer> {
  readonly #threads: readonly Thread<Request, Answer>[]

  private constructor(threads: readonly Thread<Request, Answer>[]) {
    this.#threads = threads
  }

  /** Resolves when all threads are ready. @throws what one of them fails with, MODEL_UNUSABLE where it is the model's fault */
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

  /** Refuses further requests, waits for the answers to those under way, and ends the threads. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()))
  }
}
