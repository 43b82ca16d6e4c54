import { expect, test } from 'vitest'
import { inPages, pageEnds } from '../../../../services/corpus/sorted/pages.ts'
import { u64Max } from '../../../../topologies/selection/u64.ts'

const sizes = { first: 1000, others: 8000 }

test.each([0, 1, 1000, 1001, 9000, 50_000, 10_000_000, 10 ** 12])(
  'pages of %i ids are all of 64 bits, in order',
  (ids) => {
    const ends = pageEnds(ids, sizes)
    expect(ends.at(-1)).toBe(u64Max)
    expect(ends.every((end, i) => i === 0 || end > ends[i - 1]!)).toBe(true)
    expect(ends.length).toBeLessThanOrEqual(17)
  },
)

test('the first page is small, the others are of one size', () => {
  const expected = [0.1, 0.55, 1]
  expect(pageEnds(10_000, { first: 1000, others: 4500 }).map((end) => Number(end) / 2 ** 64)).toEqual(
    expected.map((share) => expect.closeTo(share, 9)),
  )
})

test('each page is asked for once, while the one before it is read', async () => {
  const asked: [bigint, bigint][] = []
  async function* page(first: bigint, last: bigint) {
    asked.push([first, last])
    yield first
    yield last
  }
  const read: bigint[] = []
  const ahead: number[] = []
  for await (const item of inPages([4n, 9n, u64Max], page)) {
    read.push(item)
    ahead.push(asked.length)
  }
  expect(asked).toEqual([
    [0n, 4n],
    [5n, 9n],
    [10n, u64Max],
  ])
  expect(read).toEqual([0n, 4n, 5n, 9n, 10n, u64Max])
  expect(ahead).toEqual([2, 2, 3, 3, 3, 3])
})

test('a page that fails is told where it stands, and not at all to who has ended before', async () => {
  async function* page(first: bigint) {
    if (first > 0n) throw new Error('the store is away')
    yield first
  }
  const read = inPages([4n, u64Max], page)
  expect(await read.next()).toEqual({ done: false, value: 0n })
  await expect(read.next()).rejects.toThrow('the store is away')
  for await (const item of inPages([4n, u64Max], page)) {
    expect(item).toBe(0n)
    break
  }
})
