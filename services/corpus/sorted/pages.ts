import { u64Max } from '../../../topologies/selection/u64.ts'

/** How an emission is cut into pages, each a range of order keys. */
export interface PageSizes {
  /** Ids of the first page, about: they are there soon, however many follow. */
  readonly first: number
  /** Ids of the others, about, up to `pagesMax` of them: 32 MB. */
  readonly others: number
}

export const pageSizesDefault: PageSizes = { first: 500_000, others: 4_000_000 }

/** Each page looks at all documents of the selection's groups, so that more pages than this would cost more than they save. */
const pagesMax = 16

/** The last order key of each page of so many ids, ascending; order keys are spread evenly over all 64 bits. */
export function pageEnds(ids: number, { first, others }: PageSizes = pageSizesDefault): bigint[] {
  if (ids <= first) return [u64Max]
  const share = first / ids
  const count = Math.min(pagesMax, Math.ceil((ids - first) / others))
  const shares = Array.from({ length: count }, (_, i) => share + ((1 - share) * i) / count)
  return [...shares.map((one) => BigInt(Math.floor(one * 2 ** 53)) << 11n).filter((end) => end > 0n), u64Max]
}

/** Yields the pages in order. The next one is asked for while one is read: at most two are held. */
export async function* inPages<T>(
  ends: readonly bigint[],
  page: (first: bigint, last: bigint) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const ask = (i: number) => {
    const asked = allOf(page(i === 0 ? 0n : ends[i - 1]! + 1n, ends[i]!))
    // Whoever reads may have ended before this page is awaited.
    asked.catch(() => {})
    return asked
  }
  let asked = ask(0)
  for (let i = 0; i < ends.length; i++) {
    const read = await asked
    if (i + 1 < ends.length) asked = ask(i + 1)
    yield* read
  }
}

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
