import { describe, expect, test } from 'vitest'
import { leftOutOfPaper, rowsOf, tableSix, totalsOfPaper } from '../../../topologies/ledger/table-six.ts'

/** Table 6 of the paper, once more: method, offline, online, overall. */
const printed = [
  ['QuRating', 7.13e20, null, 7.13e20],
  ['MATES', null, 1.99e20, 1.99e20],
  ['Multi-actor collaboration', 9.91e19, 1.19e18, 1.0e20],
] as const

const within = (computed: number, value: number | null) => {
  if (value === null) expect(computed).toBe(0)
  else expect(Math.abs(computed / value - 1)).toBeLessThan(0.01)
}

describe.each(printed)('the row of %s', (method, offline, online, overall) => {
  const row = tableSix.find((one) => one.method === method)!

  test('is reproduced within 1 percent', () => {
    expect(row.printed).toEqual({ offline, online, overall })
    const computed = totalsOfPaper(row)
    within(computed.offline, offline)
    within(computed.online, online)
    within(computed.overall, overall)
  })
})

test('the influence of samples is 1.19e18 FLOPs, and four passes over the corpus are 1.98e20', () => {
  const mates = rowsOf(tableSix[1]!.work)
  const sum = (purpose: string) =>
    mates.reduce((total, row) => total + (row.purpose === purpose ? row.flopsTableSix : 0), 0)
  within(sum('rewards'), 1.19e18)
  within(sum('labels'), 1.98e20)
})

test('the proxies that Table 6 leaves out cost more than the row that it prints', () => {
  const ours = tableSix[2]!
  const proxies = rowsOf(ours.leftOut).find(({ purpose }) => purpose === 'proxies')!
  within(proxies.flops, 1.37e20)
  expect(leftOutOfPaper(ours)).toBeGreaterThan(totalsOfPaper(ours).overall)
  const training = rowsOf(ours.leftOut).find(({ purpose }) => purpose === 'training')!
  within(training.flops, 2.42e20)
})
