/** Keeps the values used last, as many as together weigh at most `weightMax`, and always the very last. By default each weighs 1. */
export class Recent<Value> {
  readonly #values = new Map<string, Value>()
  readonly #weightMax: number
  readonly #weightOf: (value: Value) => number

  constructor(weightMax: number, weightOf: (value: Value) => number = () => 1) {
    this.#weightMax = weightMax
    this.#weightOf = weightOf
  }

  get(key: string): Value | undefined {
    const value = this.#values.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }

  set(key: string, value: Value): void {
    // A Map keeps the order of insertion: the first key is the one unused for longest.
    this.#values.delete(key)
    this.#values.set(key, value)
    this.makeRoom(0)
  }

  /** Lets go of the values unused for longest until one that weighs `weight` fits beside the others. */
  makeRoom(weight: number): void {
    let total = weight
    for (const value of this.#values.values()) total += this.#weightOf(value)
    for (const [oldest, value] of this.#values) {
      if (total <= this.#weightMax || (weight === 0 && this.#values.size === 1)) return
      this.#values.delete(oldest)
      total -= this.#weightOf(value)
    }
  }

  delete(key: string): void {
    this.#values.delete(key)
  }
}
