import type { Group } from './groups.ts'

/**
 * The histogram of an in-memory corpus, kept up to date: numbers the groups that occur, for any number of actors, and counts their documents and
 * tokens. A document stores only its group's number; cell and reads are kept here.
 */
export class GroupTable {
  readonly #groups: Group[] = []
  readonly #byReads: Map<number, number>[] = []
  readonly #cellOf: number[] = []
  /** The last move out of each group, cached: most documents of a selection are read equally often. */
  readonly #moves: { times: number; to: number }[] = []
  /** One map per actor: from (state so far, label) to the next state; the last actor's state is the cell. */
  readonly #states: Map<number, number>[]
  readonly #sizes: readonly number[]

  /** @param sizes subcategories of each actor, in configuration order */
  constructor(sizes: readonly number[]) {
    this.#sizes = sizes
    this.#states = sizes.map(() => new Map())
  }

  get all(): readonly Group[] {
    return this.#groups
  }

  /** The number of the group of these labels and reads, created if there is none. */
  number(labels: ArrayLike<number>, reads: number): number {
    return this.#group(this.#cell(labels), labels, reads)
  }

  /** Counts another document in a group. */
  add(group: number, tokens: number): void {
    const counted = this.#groups[group]!
    counted.documents += 1
    counted.tokens += tokens
  }

  /** Moves a document to the group of the same cell with `times` more reads; returns that group's number. */
  moveByReads(group: number, times: number, tokens: number): number {
    const from = this.#groups[group]!
    const to = this.#targetOf(group, from, times)
    from.documents -= 1
    from.tokens -= tokens
    this.add(to, tokens)
    return to
  }

  #targetOf(group: number, from: Group, times: number): number {
    const move = this.#moves[group]!
    if (move.times !== times) {
      move.times = times
      move.to = this.#group(this.#cellOf[group]!, from.labels, from.reads + times)
    }
    return move.to
  }

  #cell(labels: ArrayLike<number>): number {
    let state = 0
    for (const [a, next] of this.#states.entries()) {
      const step = state * this.#sizes[a]! + labels[a]!
      const known = next.get(step)
      state = known ?? next.size
      if (known === undefined) next.set(step, state)
    }
    return state
  }

  #group(cell: number, labels: ArrayLike<number>, reads: number): number {
    this.#byReads[cell] ??= new Map()
    const byReads = this.#byReads[cell]
    const known = byReads.get(reads)
    if (known !== undefined) return known
    const number = this.#groups.length
    this.#groups.push({ labels: Array.from(labels), reads, documents: 0, tokens: 0 })
    this.#cellOf.push(cell)
    this.#moves.push({ times: 0, to: number })
    byReads.set(reads, number)
    return number
  }
}
