import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { checkpointMetadata, checkpointPath, latestCheckpoint } from '../../../services/trainer/checkpoints.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-checkpoints-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('the latest checkpoint of a run is the one with the highest step; other files and other runs are ignored', async () => {
  expect(await latestCheckpoint(folder, 'r')).toBeUndefined()
  for (const run of ['r', 'other']) mkdirSync(join(folder, run))
  for (const step of [900, 1050, 150]) writeFileSync(checkpointPath(folder, 'r', step), '')
  for (const name of ['step-00009999.safetensors.tmp', 'step-99999.safetensors', 'notes.txt'])
    writeFileSync(join(folder, 'r', name), '')
  expect(await latestCheckpoint(folder, 'other')).toBeUndefined()
  writeFileSync(checkpointPath(folder, 'other', 2000), '')
  expect(await latestCheckpoint(folder, 'r')).toEqual({
    path: join(folder, 'r', 'step-00001050.safetensors'),
    step: 1050,
  })
})

test('a checkpoint without a valid training position in its metadata is refused', () => {
  const place = { run: 'r', round: '3', document: '7', token: '41', documentsRead: '8' }
  expect(checkpointMetadata.parse(place)).toEqual({ run: 'r', round: 3, document: 7, token: 41, documentsRead: 8 })
  expect(() => checkpointMetadata.parse({ ...place, token: 'none' })).toThrow('token')
  expect(() => checkpointMetadata.parse({ ...place, round: '1.5' })).toThrow('round')
})
