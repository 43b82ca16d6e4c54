/** Keeps the values used last, at most `sizeMax` of them. */
export class Recent<Value> {
  readonly #values = new Map<string, Value>()
  readonly #sizeMax: number

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
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
    for (const oldest of this.#values.keys()) if (this.#values.size > this.#sizeMax) this.#values.delete(oldest)
  }

  delete(key: string): void {
    this.#values.delete(key)
  }
}
