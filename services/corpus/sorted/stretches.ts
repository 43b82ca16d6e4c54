import { blocks, drawStarts, placeBits } from '../../../topologies/selection/draw.ts'
import type { Seed } from '../../../topologies/selection/u64.ts'

const blockSize = 1n << placeBits

/**
 * True of the places that a draw reaches: in each block those from its start on, `reach` of them, upwards and round. Ranges of a table
 * sorted by place; a reach of a whole block is no condition.
 * @param reach places a block, at least 1
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

/** How far to reach so that about `share` of all places, at most 1, lie within. */
export function reachOf(share: number): bigint {
  if (share >= 1) return blockSize
  return BigInt(Math.max(1, Math.ceil(share * Number(blockSize))))
}

/** Places in all: the share that a reach stands for is `reach * blocks / placesInAll`. */
export const placesInAll = blockSize * BigInt(blocks)
