import { u64Max } from '../../../topologies/selection/u64.ts'

/** How an emission is cut into pages, each a range of order keys. */
export interface PageSizes {
  /** Ids of the first page, about: they are there soon, however many follow. */
  readonly first: number
  /** Ids of the others, at most about. */
  readonly others: number
}

/** Each page looks at all documents of the selection's groups, so few of them are best; two are held, of 8 bytes an id. */
export const pageSizesDefault: PageSizes = { first: 500_000, others: 16_000_000 }

/** A range of order keys, and how many ids are expected in it. */
export interface Page {
  readonly first: bigint
  readonly last: bigint
  readonly ids: number
}

/** The pages of so many ids, ascending; order keys are spread evenly over all 64 bits. */
export function pagesOf(ids: number, { first, others }: PageSizes = pageSizesDefault): Page[] {
  if (ids <= first) return [{ first: 0n, last: u64Max, ids }]
  const count = Math.ceil((ids - first) / others)
  const counts = [first, ...Array.from({ length: count }, () => (ids - first) / count)]
  let before = 0
  return counts.map((held, i) => {
    const from = keyAt(before / ids)
    before += held
    return { first: from, last: i === count ? u64Max : keyAt(before / ids) - 1n, ids: Math.ceil(held) }
  })
}

/** The order key below which this share of all ids is expected. */
const keyAt = (share: number): bigint => BigInt(Math.floor(share * 2 ** 53)) << 11n

/** Yields what the pages hold, in order. The next one is asked for while one is read: at most two are held. */
export async function* inPages<T>(
  pages: readonly Page[],
  ask: (page: Page) => Promise<Iterable<T>>,
): AsyncGenerator<T> {
  const asking = (i: number) => {
    const asked = ask(pages[i]!)
    // Whoever reads may have ended before this page is awaited.
    asked.catch(() => {})
    return asked
  }
  let asked = asking(0)
  for (let i = 0; i < pages.length; i++) {
    const read = await asked
    if (i + 1 < pages.length) asked = asking(i + 1)
    yield* read
  }
}
