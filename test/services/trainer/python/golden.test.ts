import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { goldenCases, goldenFile, goldenText, piecesCases, piecesFile } from './golden.ts'

test('what the Python trainer’s packing is held to is what the packer makes', async () => {
  const cases = await goldenCases()
  expect(cases.reduce((sum, { batches }) => sum + batches.length, 0)).toBeGreaterThan(1000)
  expect(readFileSync(goldenFile, 'utf8')).toBe(goldenText(cases))
})

test('what the Python trainer’s pieces of split texts are held to is how ingest cuts them', () => {
  const cases = piecesCases()
  expect(cases.reduce((sum, { pieces }) => sum + pieces.length, 0)).toBeGreaterThan(200)
  expect(readFileSync(piecesFile, 'utf8')).toBe(goldenText(cases))
})
