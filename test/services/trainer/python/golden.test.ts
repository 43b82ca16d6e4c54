import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { goldenCases, goldenFile, goldenText } from './golden.ts'

test('what the Python trainer’s packing is held to is what the packer makes', async () => {
  const cases = await goldenCases()
  expect(cases.reduce((sum, { batches }) => sum + batches.length, 0)).toBeGreaterThan(1000)
  expect(readFileSync(goldenFile, 'utf8')).toBe(goldenText(cases))
})
