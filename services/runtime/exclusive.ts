/** A mutex: runs pieces of work one after the other, in the order in which they are given. A failure is its giver's and stops nobody. */
export class Exclusive {
  #tail: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => {})
    return result
  }

  /** Resolves when all that has been given so far is done. */
  async idle(): Promise<void> {
    await this.#tail
  }
}
