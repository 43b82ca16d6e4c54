/** A mutex: runs tasks one at a time, in the order given. A failure rejects its own task and does not stop the others. */
export class Exclusive {
  #tail: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => {})
    return result
  }

  /** Resolves when all tasks given so far are done. */
  async idle(): Promise<void> {
    await this.#tail
  }
}
