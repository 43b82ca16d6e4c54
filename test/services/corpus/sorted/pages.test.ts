import { expect, test } from 'vitest'
import { inPages, type Page, pagesOf } from '../../../../services/corpus/sorted/pages.ts'
import { u64Max } from '../../../../topologies/selection/u64.ts'

const sizes = { first: 1000, others: 8000 }

test.each([0, 1, 1000, 1001, 9000, 50_000, 10_000_000])('pages of %i ids are all of 64 bits, in order', (ids) => {
  const pages = pagesOf(ids, sizes)
  expect(pages[0]!.first).toBe(0n)
  expect(pages.at(-1)!.last).toBe(u64Max)
  for (const [i, page] of pages.entries()) {
    expect(page.last).toBeGreaterThan(page.first)
    if (i > 0) expect(page.first).toBe(pages[i - 1]!.last + 1n)
    expect(page.ids).toBeLessThanOrEqual(i === 0 ? sizes.first : sizes.others)
  }
})

test('the first page is small, the others are of one size', () => {
  const pages = pagesOf(10_000, { first: 1000, others: 4500 })
  expect(pages.map(({ last }) => Number(last) / 2 ** 64)).toEqual(
    [0.1, 0.55, 1].map((share) => expect.closeTo(share, 9)),
  )
  expect(pages.map(({ ids }) => ids)).toEqual([1000, 4500, 4500])
})

const three = pagesOf(10_000, { first: 1000, others: 4500 })

test('each page is asked for once, while the one before it is read', async () => {
  const asked: Page[] = []
  const ask = async (page: Page) => {
    asked.push(page)
    return [page.first, page.last]
  }
  const read: bigint[] = []
  const ahead: number[] = []
  for await (const item of inPages(three, ask)) {
    read.push(item)
    ahead.push(asked.length)
  }
  expect(asked).toEqual(three)
  expect(read).toEqual(three.flatMap(({ first, last }) => [first, last]))
  expect(ahead).toEqual([2, 2, 3, 3, 3, 3])
})

test('a page that fails is told where it stands, and not at all to who has ended before', async () => {
  const ask = async ({ first }: Page) => {
    if (first > 0n) throw new Error('the store is away')
    return [first]
  }
  const read = inPages(three, ask)
  expect(await read.next()).toEqual({ done: false, value: 0n })
  await expect(read.next()).rejects.toThrow('the store is away')
  for await (const item of inPages(three, ask)) {
    expect(item).toBe(0n)
    break
  }
})
