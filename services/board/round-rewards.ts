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

/** The rewards of one round as they arrive: spread by actor and subcategory, and how many came too late. */
export class RoundRewards {
  readonly #actors: readonly string[]
  #subcategories: Map<string, Map<DocumentId, number>> | undefined
  #asked: number[][] | null = null
  #sums: Map<string, Sum> = new Map()
  #waiting: PlacedReward[] = []
  #limits: Map<number, number> | undefined
  #late = 0

  constructor(actors: readonly string[]) {
    this.#actors = actors
  }

  opened({ samples }: RoundOpened, sizes: readonly number[]): void {
    this.#subcategories = new Map(this.#actors.map((actor) => [actor, new Map()]))
    this.#asked = sizes.map((size) => Array.from({ length: size }, () => 0))
    for (const { actor, subcategory, docIds } of samples) {
      const row = this.#asked[this.#actors.indexOf(actor)]
      if (row !== undefined) row[subcategory] = (row[subcategory] ?? 0) + docIds.length
      for (const docId of docIds) this.#subcategories.get(actor)?.set(docId, subcategory)
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

  get asked(): number[][] | null {
    return this.#asked
  }

  get late(): number {
    return this.#late
  }

  spreads(sizes: readonly number[]): (Spread | null)[][] | null {
    if (this.#asked === null) return null
    return sizes.map((size, a) =>
      Array.from({ length: size }, (_, j) => {
        const sum = this.#sums.get(`${a} ${j}`)
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
      this.#count(`${this.#actors.indexOf(actor)} ${subcategory}`, reward.reward)
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
