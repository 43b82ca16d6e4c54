import type { DocumentId, Offset, Partition, Reward, RoundClosed, RoundOpened } from '../../schemas/index.ts'
import type { Spread } from './shape.ts'

/** A reward with its position in the log, by which a round decides whether it counts. */
export interface PlacedReward {
  readonly partition: Partition
  readonly offset: Offset
  readonly reward: Reward
}

/** Rewards that wait for their round's opening to be read: topics are read one after the other, not in the order of the writes. */
const waitingMax = 20_000

interface Sum {
  count: number
  mean: number
  /** Sum of squared differences from the mean (Welford). */
  squares: number
  min: number
  max: number
}

/** An actor as a round has it: in the order of its actors and their subcategories are all tables. */
type Rows = readonly { name: string; subcategories: readonly string[] }[]

const keyOf = (actor: string, subcategory: number): string => JSON.stringify([actor, subcategory])

/** The rewards of one round as they arrive: spread by actor and subcategory, and how many came too late. */
export class RoundRewards {
  #subcategories: Map<string, Map<DocumentId, number>> | undefined
  #asked: Map<string, number> | undefined
  #sums: Map<string, Sum> = new Map()
  #waiting: PlacedReward[] = []
  #limits: Map<number, number> | undefined
  #late = 0

  opened({ samples }: RoundOpened): void {
    this.#subcategories = new Map(samples.map(({ actor }) => [actor, new Map()]))
    this.#asked = new Map()
    for (const { actor, subcategory, docIds } of samples) {
      const key = keyOf(actor, subcategory)
      this.#asked.set(key, (this.#asked.get(key) ?? 0) + docIds.length)
      for (const docId of docIds) this.#subcategories.get(actor)!.set(docId, subcategory)
    }
    this.#settle()
  }

  closed({ rewardOffsets }: RoundClosed): void {
    this.#limits = new Map(rewardOffsets.map(({ partition, offsetNext }) => [partition, offsetNext]))
    this.#settle()
  }

  add(reward: PlacedReward): void {
    if (this.#waiting.length < waitingMax) this.#waiting.push(reward)
    this.#settle()
  }

  /** Forgets which documents were requested; later rewards are not counted. For rounds long past. */
  forget(): void {
    this.#subcategories = new Map()
    this.#waiting = []
  }

  /** How many documents; null: it was not opened yet. */
  asked(actors: Rows): number[][] | null {
    const asked = this.#asked
    if (asked === undefined) return null
    return actors.map(({ name, subcategories }) => subcategories.map((_, j) => asked.get(keyOf(name, j)) ?? 0))
  }

  get askedInAll(): number {
    return [...(this.#asked?.values() ?? [])].reduce((sum, count) => sum + count, 0)
  }

  get late(): number {
    return this.#late
  }

  spreads(actors: Rows): (Spread | null)[][] | null {
    if (this.#asked === undefined) return null
    return actors.map(({ name, subcategories }) =>
      subcategories.map((_, j) => {
        const sum = this.#sums.get(keyOf(name, j))
        if (sum === undefined) return null
        const { count, mean, squares, min, max } = sum
        return { count, mean, deviation: Math.sqrt(squares / count), min, max }
      }),
    )
  }

  #settle(): void {
    if (this.#subcategories === undefined) return
    const known = this.#subcategories
    for (const { partition, offset, reward } of this.#waiting.splice(0)) {
      const { actor, docId } = reward
      const subcategory = known.get(actor)?.get(docId)
      if (subcategory === undefined) continue
      if (this.#limits !== undefined && offset >= (this.#limits.get(partition) ?? 0)) {
        this.#late++
        continue
      }
      // The first in log order counts; for a second one the document is already answered.
      known.get(actor)?.delete(docId)
      this.#count(keyOf(actor, subcategory), reward.reward)
    }
  }

  #count(key: string, value: number): void {
    const sum = this.#sums.get(key) ?? { count: 0, mean: 0, squares: 0, min: value, max: value }
    sum.count++
    const difference = value - sum.mean
    sum.mean += difference / sum.count
    sum.squares += difference * (value - sum.mean)
    sum.min = Math.min(sum.min, value)
    sum.max = Math.max(sum.max, value)
    this.#sums.set(key, sum)
  }
}
