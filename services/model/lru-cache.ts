/** Keeps the values used last, as many as together weigh at most `weightMax`, and always the very last. By default each weighs 1. */
export class LruCache<Value> {
  readonly #values = new Map<string, Value>()
  readonly #weightMax: number
  readonly #weightOf: (value: Value) => number
  readonly #onDrop: (value: Value) => void

  /** `onDrop` is told of each value that is no longer kept. */
  constructor(
    weightMax: number,
    weightOf: (value: Value) => number = () => 1,
    onDrop: (value: Value) => void = () => {},
  ) {
    this.#weightMax = weightMax
    this.#weightOf = weightOf
    this.#onDrop = onDrop
  }

  get(key: string): Value | undefined {
    const value = this.#values.get(key)
    if (value === undefined) return undefined
    // A Map keeps the order of insertion: the first key is the one unused for longest.
    this.#values.delete(key)
    this.#values.set(key, value)
    return value
  }

  /** Keeps a value under a key that has none, and lets go of those unused for longest until the rest fits. */
  set(key: string, value: Value): void {
    this.makeRoom(this.#weightOf(value))
    this.#values.set(key, value)
  }

  /** Lets go of the values unused for longest until one that weighs `weight` fits beside the others. */
  makeRoom(weight: number): void {
    let total = weight
    for (const value of this.#values.values()) total += this.#weightOf(value)
    for (const [oldest, value] of this.#values) {
      if (total <= this.#weightMax) return
      total -= this.#weightOf(value)
      this.delete(oldest, value)
    }
  }

  /** Lets go of a value, if it is still this one that is kept under the key. */
  delete(key: string, value: Value): void {
    if (this.#values.get(key) !== value) return
    this.#values.delete(key)
    this.#onDrop(value)
  }
}
