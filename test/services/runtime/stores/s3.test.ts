import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { checkPaths } from '../../../../services/ingest/paths.ts'
import { readSafetensors, writeSafetensors } from '../../../../services/model/safetensors.ts'
import { openBytes } from '../../../../services/runtime/stores/bytes.ts'
import { storeFor } from '../../../../services/runtime/stores/open-store.ts'
import { bytesOf, lacks, sha256, startCutter, startMoto, storesPython } from '../../../support/stores.ts'
import { MemoryKafka } from '../../ingest/memory-kafka.ts'
import { parquetOf } from '../../ingest/parquet/support.ts'
import { expectSameWhenKilled, folder, row, rows, run } from '../../ingest/support.ts'

const found = storesPython(process.env)
const python = 'python' in found ? found.python : undefined
const missing = 'missing' in found ? found.missing : lacks('@aws-sdk/client-s3')
const because = missing === undefined ? '' : ` (skipped: ${missing})`

let moto: Awaited<ReturnType<typeof startMoto>>
let cutter: Awaited<ReturnType<typeof startCutter>>

/** Of the one process: its store is opened once, through the connections that break. */
beforeAll(async () => {
  if (python === undefined) return
  moto = await startMoto(python)
  cutter = await startCutter(moto.port)
  vi.stubEnv('AWS_ENDPOINT_URL_S3', `http://127.0.0.1:${cutter.port}`)
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'a-secret-of-this-test')
  vi.stubEnv('AWS_REGION', 'us-east-1')
  await put('', '')
}, 60_000)
afterAll(async () => {
  await cutter?.stop()
  await moto?.stop()
})

/** Stores an object; without a key, makes the bucket. */
async function put(key: string, body: Uint8Array | string): Promise<void> {
  // A login that is read and not checked.
  const authorization =
    'AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0'
  const url = `http://127.0.0.1:${moto.port}/corpus/${key}`
  const answer = await fetch(url, { method: 'PUT', headers: { authorization }, body: Buffer.from(body) })
  expect(answer.status).toBe(200)
}

const wire = join(import.meta.dirname, '../../../../services/runtime/python')

describe.skipIf(missing !== undefined)(`in S3${because}`, () => {
  test('an object is read on where its connection breaks, and is the same', async () => {
    const content = bytesOf(3_000_000)
    await put('large', content)
    const file = await openBytes('s3://corpus/large')
    cutter.cut(3, 700_000)
    const parts: Buffer[] = []
    for await (const chunk of file.stream(0, content.length)) parts.push(Buffer.from(chunk))
    expect(cutter.cuts).toBe(3)
    expect(sha256(Buffer.concat(parts))).toBe(sha256(content))
    expect(await file.at(1_048_570, 20)).toEqual(content.subarray(1_048_570, 1_048_590))
    expect(await file.at(content.length - 2, 8)).toEqual(content.subarray(-2))
  })

  test('an object that has changed since it was found is refused', async () => {
    await put('changing.jsonl', rows(10))
    const file = await openBytes('s3://corpus/changing.jsonl')
    await put('changing.jsonl', rows(11))
    await expect(file.at(0, 10)).rejects.toMatchObject({ code: 'BAD_DATA' })
    await expect(openBytes('s3://corpus/changing.jsonl', file.version)).rejects.toMatchObject({ code: 'BAD_DATA' })
  })

  test('what is missing is an error before anything starts, without a word of the secret', async () => {
    for (const uri of ['s3://corpus/none.jsonl', 's3://corpus/none/', 's3://nobucket/a']) {
      const error = (await checkPaths([uri]).catch((thrown: unknown) => thrown)) as Error & {
        code: string
        hint: string
      }
      expect(error.code).toBe('CONFIGURATION')
      expect(error.message).toContain(uri)
      expect(JSON.stringify([error.message, error.hint, error.stack, error.cause])).not.toContain(
        'a-secret-of-this-test',
      )
    }
  })

  test('objects under a prefix are ingested as the files of a folder are, again only what is new', async () => {
    const lines = rows(50)
    const files: Record<string, string | Buffer> = {
      'b/part.jsonl.gz': gzipSync(lines),
      'a.jsonl': lines,
      'c.parquet': parquetOf([{ name: 'text', data: ['one', 'two'], type: 'STRING' }]),
      'b/.hidden.jsonl': lines,
      'b/readme.md': '# no rows',
    }
    for (const [name, content] of Object.entries(files)) await put(`set/${name}`, content)
    const [local, stored] = [new MemoryKafka(), new MemoryKafka()]
    const of = await run(local, [folder(files)])
    const result = await run(stored, ['s3://corpus/set'])
    expect(result).toEqual(of)
    expect(stored.documents).toEqual(local.documents)
    expect(stored.sources).toEqual(local.sources)
    expect(await run(stored, ['s3a://corpus/set/'])).toMatchObject({ documents: 0, skipped: 3 })
    await put('set/a.jsonl', `${lines}${row('appended')}`)
    expect(await run(stored, ['s3://corpus/set'])).toMatchObject({ documents: 1, skipped: 2 })
    await put('set/a.jsonl', rows(60).replaceAll('row', 'other'))
    expect(await run(stored, ['s3://corpus/set'])).toMatchObject({ documents: 0, failed: 1 })
  })

  test('an ingest that is killed goes on at the row after the last one, and writes what an undisturbed one does', async () => {
    await put('kill/b.jsonl.gz', gzipSync(rows(100)))
    const data = Array.from({ length: 100 }, (_, index) => `row ${index}`)
    await put('kill/c.parquet', parquetOf([{ name: 'text', data, type: 'STRING' }], { rowGroupSize: 30 }))
    const before = cutter.cuts
    for (const kill of [
      { transaction: 2, committed: false },
      { transaction: 4, committed: true },
    ]) {
      cutter.cut(2, 400)
      const { documents } = await expectSameWhenKilled('s3://corpus/kill', kill, { limits: { rowsMax: 40 } })
      expect(documents.length).toBe(200)
    }
    expect(cutter.cuts).toBeGreaterThan(before)
  })

  test('a checkpoint that was stored is read as its file is', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'winnow-stores-')), 'step-1.safetensors')
    onTestFinished(() => rmSync(join(path, '..'), { recursive: true }))
    const data = Float32Array.from({ length: 500_000 }, (_, i) => Math.sin(i))
    const { digest } = await writeSafetensors(path, [['w', { shape: [500, 1000], data }]])
    const store = await storeFor('s3://corpus/run/step-1.safetensors')
    await store.put('s3://corpus/run/step-1.safetensors', path)
    cutter.cut(2, 600_000)
    const read = await readSafetensors('s3://corpus/run/step-1.safetensors')
    expect(read.digest).toBe(digest)
    expect(read.tensors.get('w')).toEqual({ shape: [500, 1000], data })
  })

  test('what the Python packages store is read, and what is stored they read, over broken connections', async () => {
    const content = bytesOf(2_000_000)
    const path = join(folder({ checkpoint: content }), 'checkpoint')
    const env = { ...process.env, PYTHONPATH: wire, PYTHONDONTWRITEBYTECODE: '1' }
    const call = (program: string) => promisify(execFile)(python!, ['-c', `import sys\n${program}`, path], { env })
    await call("from winnow_wire.stores import upload\nupload(sys.argv[1], 's3://corpus/python/a')")
    const before = cutter.cuts
    cutter.cut(2, 500_000)
    const { stdout } = await call(
      "from winnow_wire.stores import download\nprint(download('s3://corpus/python/a', open(sys.argv[1] + '.read', 'wb')))",
    )
    expect(cutter.cuts - before).toBe(2)
    const object = await openBytes('s3://corpus/python/a')
    expect(stdout.trim()).toBe(object.version)
    expect(sha256(await object.at(0, content.length))).toBe(sha256(content))
    expect(sha256(readFileSync(`${path}.read`))).toBe(sha256(content))
  })
})
