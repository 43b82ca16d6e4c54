import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { checkPaths } from '../../../../services/ingest/paths.ts'
import { openBytes } from '../../../../services/runtime/stores/bytes.ts'
import { storeFor } from '../../../../services/runtime/stores/open-store.ts'
import { latestCheckpoint, saveCheckpoint } from '../../../../services/trainer/checkpoints.ts'
import { bytesOf, lacks, sha256, startCutter, startGoogleStorage, storesPython } from '../../../support/stores.ts'
import { MemoryKafka } from '../../ingest/memory-kafka.ts'
import { folder, rows, run } from '../../ingest/support.ts'
import { pythonStores } from './python-stores.ts'

const found = storesPython(process.env)
const python = 'python' in found ? found.python : undefined
const missing = 'missing' in found ? found.missing : lacks('@google-cloud/storage')
const because = missing === undefined ? '' : ` (skipped: ${missing})`

let server: Awaited<ReturnType<typeof startGoogleStorage>>
let cutter: Awaited<ReturnType<typeof startCutter>>
const scratch = mkdtempSync(join(tmpdir(), 'winnow-gs-'))
beforeAll(async () => {
  if (missing !== undefined) return
  server = await startGoogleStorage(python!)
  cutter = await startCutter(server.port)
  vi.stubEnv('STORAGE_EMULATOR_HOST', `http://127.0.0.1:${cutter.port}`)
}, 60_000)
afterAll(async () => {
  await cutter?.stop()
  await server?.stop()
  rmSync(scratch, { recursive: true })
})

async function put(key: string, content: Uint8Array | string): Promise<void> {
  const path = join(scratch, 'content')
  writeFileSync(path, content)
  await (await storeFor('gs://corpus')).put(`gs://corpus/${key}`, path)
}

describe.skipIf(missing !== undefined)(`in Google's store${because}`, () => {
  test('an object is read on where its connection breaks, and is the same', async () => {
    const content = bytesOf(3_000_000)
    await put('large', content)
    const file = await openBytes('gs://corpus/large')
    cutter.cut(2, 700_000)
    const parts: Buffer[] = []
    for await (const chunk of file.stream(0, content.length)) parts.push(Buffer.from(chunk))
    expect(cutter.cuts).toBe(2)
    expect(sha256(Buffer.concat(parts))).toBe(sha256(content))
    expect(await file.at(1_048_570, 20)).toEqual(content.subarray(1_048_570, 1_048_590))
  })

  test('an object that has changed since it was found is refused, and so is one that is not there', async () => {
    await put('changing.jsonl', rows(10))
    const file = await openBytes('gs://corpus/changing.jsonl')
    await put('changing.jsonl', rows(11))
    await expect(openBytes('gs://corpus/changing.jsonl', file.version)).rejects.toMatchObject({ code: 'BAD_DATA' })
    for (const uri of ['gs://corpus/none.jsonl', 'gs://corpus/none/'])
      await expect(checkPaths([uri])).rejects.toMatchObject({
        code: 'CONFIGURATION',
        message: expect.stringContaining(uri),
      })
  })

  test('objects under a prefix are ingested as the files of a folder are, again only what is new', async () => {
    const files: Record<string, string | Buffer> = {
      'b/part.jsonl.gz': gzipSync(rows(50)),
      'a.jsonl': rows(50),
      'b/readme.md': '# no rows',
    }
    for (const [name, content] of Object.entries(files)) await put(`set/${name}`, content)
    const [local, stored] = [new MemoryKafka(), new MemoryKafka()]
    const of = await run(local, [folder(files)])
    expect(await run(stored, ['gs://corpus/set'])).toEqual(of)
    expect(stored.documents).toEqual(local.documents)
    expect(stored.sources).toEqual(local.sources)
    expect(await run(stored, ['gs://corpus/set/'])).toMatchObject({ documents: 0, skipped: 2 })
  })

  test('a checkpoint is stored under its address, and the latest one is found', async () => {
    for (const step of [20, 100, 40])
      await saveCheckpoint(`gs://corpus/runs/r/step-${`${step}`.padStart(8, '0')}.safetensors`, async (path) =>
        writeFileSync(path, `step ${step}`),
      )
    const latest = await latestCheckpoint('gs://corpus/runs/', 'r')
    expect(latest).toEqual({ path: 'gs://corpus/runs/r/step-00000100.safetensors', step: 100 })
    expect(String(await (await openBytes(latest!.path)).at(0, 100))).toBe('step 100')
    expect(await latestCheckpoint('gs://corpus/runs', 'other')).toBeUndefined()
  })

  test('what the Python packages store is read, and what is stored they read', async () => {
    const content = bytesOf(9_000_000)
    const path = join(scratch, 'of-python')
    writeFileSync(path, content)
    const call = pythonStores(python!)
    await call("upload(sys.argv[1], 'gs://corpus/python/a')", path)
    const version = await call("print(download('gs://corpus/python/a', open(sys.argv[1] + '.read', 'wb')))", path)
    const object = await openBytes('gs://corpus/python/a')
    expect(version).toBe(object.version)
    expect(sha256(await object.at(0, content.length))).toBe(sha256(content))
    expect(sha256(readFileSync(`${path}.read`))).toBe(sha256(content))
    const none = await call(
      "try: download('gs://corpus/none', open(sys.argv[1], 'wb'))\nexcept Exception as e: print(e.code)",
      path,
    )
    expect(none).toBe('CONFIGURATION')
  })
})
