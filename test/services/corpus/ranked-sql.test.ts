import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { float, gumbelSql, ofOrderedBits, orderedBitsSql, slackOf } from '../../../services/corpus/ranked-sql.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { gumbel } from '../../../topologies/selection/gumbel.ts'
import { splitmix64, u64Max } from '../../../topologies/selection/u64.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-ranked-'))
let clickHouse: ClickHouse
beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

test('the noise in SQL is far nearer to the exact one than what is ranked exactly reaches', async () => {
  const powers = Array.from({ length: 64 }, (_, n) => 2n ** BigInt(n))
  const keys = [0n, u64Max, ...powers, ...powers.map((key) => key - 1n), ...powers.map((key) => u64Max - key)]
  for (let n = 0n; n < 2000n; n++) keys.push(splitmix64(n), splitmix64(n) >> (n % 64n))
  const rows = await clickHouse.sql.query<{ k: string; g: number }>(
    `SELECT k, ${gumbelSql('k')} AS g FROM (SELECT arrayJoin(CAST([${keys.join(', ')}], 'Array(UInt64)')) AS k)`,
  )
  expect(rows).toHaveLength(keys.length)
  for (const { k, g } of rows) {
    const exact = gumbel(BigInt(k))
    expect(Math.abs(g - exact), k).toBeLessThan(slackOf({ kind: 'gumbel', temperature: 1 }, exact) / 1000)
  }
})

test('float64 reach SQL to the bit, and their order is that of the numbers made of them', async () => {
  const values = [Number.NEGATIVE_INFINITY, -Number.MAX_VALUE, -1.1, -5e-324, 0, 5e-324, 0.1, 1 / 3, 2 ** 53 + 2]
  values.push(Number.MAX_VALUE, Number.POSITIVE_INFINITY)
  const columns = values.map((value, i) => `toString(${orderedBitsSql(float(value))}) AS v${i}`)
  const [row] = await clickHouse.sql.query<Record<string, string>>(`SELECT ${columns.join(', ')}`)
  const bits = values.map((_, i) => BigInt(row![`v${i}`]!))
  expect(bits).toEqual(bits.toSorted((a, b) => (a < b ? -1 : 1)))
  expect(bits.map(ofOrderedBits)).toEqual(values)
})
