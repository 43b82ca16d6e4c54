import type { Rejection } from './row.ts'

/** Names of fields are shown up to this length. */
const fieldsMax = 12

/** Why rows of a source became no documents. */
export class Refusals {
  readonly #reasons = new Map<string, number>()
  readonly #fields = new Set<string>()

  add({ reason, fields = [] }: Rejection) {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1)
    for (const field of fields) if (this.#fields.size < fieldsMax) this.#fields.add(field)
  }

  /** Undoes a count: the row is read again. */
  remove({ reason }: Rejection) {
    const count = (this.#reasons.get(reason) ?? 0) - 1
    if (count > 0) this.#reasons.set(reason, count)
    else this.#reasons.delete(reason)
  }

  /** Rows by reason, the most frequent first. */
  get reasons(): Record<string, number> {
    return Object.fromEntries([...this.#reasons].sort(([, a], [, b]) => b - a))
  }

  /** The fields of rows that have no text. */
  get fields(): string[] {
    return [...this.#fields]
  }
}
