import { own } from './json-line.ts'
import { isCount } from './read-labels.ts'
import { forEachRecord } from './records.ts'
import type { Rejections } from './rejections.ts'

/**
 * Reads P.jsonl: m, how many documents of a round's selection the trainer had read when the next round opened. The first line of a round counts.
 * @param rounds the rounds of this run, 0 included
 */
export async function readPositions(
  file: string,
  rounds: readonly number[],
  rejections: Rejections,
  onBlock: () => void,
): Promise<Map<number, number>> {
  const known = new Set(rounds)
  const positions = new Map<number, number>()
  await forEachRecord(file, { rejections, onBlock }, (object, reasonSoFar) => {
    if (reasonSoFar !== null) return reasonSoFar
    const round = own(object, 'round')
    if (!isCount(round)) return 'unknown-round'
    const read = own(object, 'read')
    if (read === Number.POSITIVE_INFINITY || read === Number.NEGATIVE_INFINITY) return 'not-finite'
    if (!isCount(read)) return 'bad-read'
    // A position of a round that does not occur is irrelevant to this run.
    if (!known.has(round)) return null
    if (positions.has(round)) return 'duplicate'
    positions.set(round, read)
    return null
  })
  return positions
}
