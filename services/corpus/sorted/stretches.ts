import { blocks, drawStarts, placeBits } from '../../../topologies/selection/draw.ts'
import type { Seed } from '../../../topologies/selection/u64.ts'

const blockSize = 1n << placeBits

/**
 * True for the places that a draw reaches: `reach` of them in each block, from its start upwards with wrap-around. Ranges of a table sorted by
 * place; a reach of a whole block is no condition.
 * @param reach places per block, at least 1
 */
export function stretchesSql(place: string, seed: Seed, reach: bigint): string {
  if (reach >= blockSize) return 'true'
  const ranges = drawStarts(seed).flatMap((start, b) => {
    const first = BigInt(b) * blockSize
    const last = start + reach - 1n
    if (last < blockSize) return [[first + start, first + last]]
    return [
      [first, first + last - blockSize],
      [first + start, first + blockSize - 1n],
    ]
  })
  return `(${ranges.map(([from, to]) => `${place} BETWEEN ${from} AND ${to}`).join(' OR ')})`
}

/** The reach that covers about `share` of all places; share is at most 1. */
export function reachOf(share: number): bigint {
  if (share >= 1) return blockSize
  return BigInt(Math.max(1, Math.ceil(share * Number(blockSize))))
}

/** The reach that covers all keys up to this one. */
export const reachOfKey = (keyLast: bigint): bigint => keyLast / BigInt(blocks) + 1n

/** Total number of places: a reach covers `reach * blocks / placesInAll` of them. */
export const placesInAll = blockSize * BigInt(blocks)
