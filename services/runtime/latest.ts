/**
 * Does work beside what asks for it: one piece at a time, and of those that are asked for meanwhile the last. Nobody waits for it, so a failure is told and
 * ends nothing.
 */
export class Latest<Asked> {
  readonly #work: (asked: Asked, signal: AbortSignal) => Promise<void>
  readonly #onFailure: (error: unknown, asked: Asked) => void
  readonly #closing = new AbortController()
  #next: { readonly asked: Asked } | undefined
  #working: Promise<void> | undefined

  /** @param work its signal aborts when this is closed: what it throws then is not told */
  constructor(
    work: (asked: Asked, signal: AbortSignal) => Promise<void>,
    onFailure: (error: unknown, asked: Asked) => void,
  ) {
    this.#work = work
    this.#onFailure = onFailure
  }

  ask(asked: Asked): void {
    if (this.#closing.signal.aborted) return
    this.#next = { asked }
    this.#working ??= this.#go()
  }

  async #go(): Promise<void> {
    const { signal } = this.#closing
    for (let next = this.#next; next !== undefined; next = this.#next) {
      this.#next = undefined
      try {
        await this.#work(next.asked, signal)
      } catch (error) {
        if (!signal.aborted) this.#onFailure(error, next.asked)
      }
    }
    this.#working = undefined
  }

  /** Resolves when nothing is worked at any more. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#next = undefined
    await this.#working
  }
}
