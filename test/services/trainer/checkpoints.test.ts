import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import {
  checkpointMetadata,
  checkpointPath,
  latestCheckpoint,
  saveCheckpoint,
} from '../../../services/trainer/checkpoints.ts'
import { lacks, startWeb } from '../../support/stores.ts'

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

const missing = lacks('@aws-sdk/client-s3') ?? lacks('@aws-sdk/lib-storage')
const because = missing === undefined ? '' : ` (skipped: ${missing})`
test.skipIf(missing !== undefined)(
  `a store that is away is asked again, but by who wants to know at once${because}`,
  async () => {
    const web = await startWeb()
    onTestFinished(() => web.stop())
    vi.stubEnv('AWS_ENDPOINT_URL_S3', web.url)
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, 'any')
    vi.stubEnv('AWS_REGION', 'us-east-1')
    onTestFinished(() => void vi.unstubAllEnvs())
    let puts = 0
    web.answer = (_, response) => {
      puts++
      response.writeHead(puts > answeredFrom ? 200 : 503, { etag: '"1"' }).end()
      return true
    }
    const write = async (path: string) => writeFileSync(path, 'weights')
    let answeredFrom = Infinity
    const once = saveCheckpoint('s3://bucket/r', write, (put) => put())
    await expect(once).rejects.toMatchObject({ code: 'UNREACHABLE' })
    // The library asks some times itself.
    answeredFrom = 2 * puts
    puts = 0
    await saveCheckpoint('s3://bucket/r', write)
    expect(puts).toBe(answeredFrom + 1)
  },
)
