import type { ActorConfig } from './config.ts'

/** An actor's state between rounds; arrays are indexed by subcategory. */
export interface ActorMemory {
  /** w_A^j. */
  weights: number[]
  /** R_A^j of the last round (Eq. 4); null for a subcategory without accepted rewards in it. */
  rewards: (number | null)[]
  /** Accepted rewards of the last round. */
  counts: number[]
  /** Whether the subcategory had a reward in any round of this run so far. */
  everRewarded: boolean[]
}

export function initialMemory(actor: ActorConfig): ActorMemory {
  const size = actor.subcategories.length
  return {
    weights: [...actor.initialWeights],
    rewards: Array.from({ length: size }, () => null),
    counts: Array.from({ length: size }, () => 0),
    everRewarded: Array.from({ length: size }, () => false),
  }
}
