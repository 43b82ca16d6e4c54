import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { choosePorts } from '../../deploy/dev/ports.ts'
import { checkPaths } from '../../services/ingest/paths.ts'
import { readSafetensors, writeSafetensors } from '../../services/model/safetensors.ts'
import { openBytes } from '../../services/runtime/stores/bytes.ts'
import { storeFor } from '../../services/runtime/stores/open-store.ts'
import { createS3Store } from '../../services/runtime/stores/s3.ts'
import { MemoryKafka } from '../services/ingest/memory-kafka.ts'
import { folder, row, rows, run } from '../services/ingest/support.ts'
import { bytesOf, sha256, startCutter } from '../support/stores.ts'

/** A server of S3 that checks signatures and conditions, other than moto, where it is on the PATH (CONTRIBUTING.md). */
export interface Server {
  readonly name: string
  /** How it is started, with the bucket `corpus`. */
  readonly start: (data: string, port: number) => { args: readonly string[]; login: Record<string, string> }
  readonly health: string
}

export const secret = 'a-secret-of-this-test'
const isMissing = ({ name }: Server) => spawnSync(name, ['--version']).error !== undefined

async function put(name: string, content: string | Buffer): Promise<string> {
  const uri = `s3://corpus/${name}`
  await (await storeFor(uri)).put(uri, join(folder({ content }), 'content'))
  return uri
}

/** The tests of a server; a process has one client of S3, so that each server has a file of its own. */
export function storesIn(server: Server): void {
  const missing = isMissing(server)
  const because = missing ? ` (skipped: no ${server.name} on the PATH)` : ''
  describe.skipIf(missing)(`in ${server.name}${because}`, () => inServer(server))
}

function inServer({ name, start, health }: Server) {
  let state: string
  let cutter: Awaited<ReturnType<typeof startCutter>>
  let server: ReturnType<typeof spawn>

  beforeAll(async () => {
    state = mkdtempSync(join(tmpdir(), `winnow-${name}-`))
    const { s3: port } = await choosePorts(join(state, 'ports.json'), ['s3'])
    // A bucket is a folder of it.
    const data = join(state, 'data')
    mkdirSync(join(data, 'corpus'), { recursive: true })
    const { args, login } = start(data, port!)
    server = spawn(name, args, { env: { PATH: process.env.PATH, HOME: state, ...login }, stdio: 'ignore' })
    const late = AbortSignal.timeout(30_000)
    while (!(await fetch(`http://127.0.0.1:${port}${health}`).catch(() => undefined))?.ok) {
      if (late.aborted) throw new Error(`${name} does not answer`)
      await sleep(100)
    }
    cutter = await startCutter(port!)
    vi.stubEnv('AWS_ENDPOINT_URL_S3', `http://127.0.0.1:${cutter.port}`)
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'winnow')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', secret)
    vi.stubEnv('AWS_REGION', 'us-east-1')
  }, 60_000)
  afterAll(async () => {
    await cutter?.stop()
    server?.kill()
    vi.unstubAllEnvs()
    rmSync(state, { recursive: true, force: true })
  })

  test('an object in several parts is stored, and read on where its connection breaks', async () => {
    const content = bytesOf(12_000_000)
    const file = await openBytes(await put('large', content))
    cutter.cut(3, 700_000)
    const parts: Buffer[] = []
    for await (const chunk of file.stream(0, content.length)) parts.push(Buffer.from(chunk))
    expect(cutter.cuts).toBe(3)
    expect(sha256(Buffer.concat(parts))).toBe(sha256(content))
    expect(await file.at(content.length - 2, 8)).toEqual(content.subarray(-2))
  })

  test('an object that has changed since it was found is refused', async () => {
    const uri = await put('changing.jsonl', rows(10))
    const file = await openBytes(uri)
    await put('changing.jsonl', rows(11))
    await expect(file.at(0, 10)).rejects.toMatchObject({ code: 'BAD_DATA' })
    await expect(openBytes(uri, file.version)).rejects.toMatchObject({ code: 'BAD_DATA' })
  })

  test('a checkpoint is read as its file is', async () => {
    const path = join(state, 'step-1.safetensors')
    const data = Float32Array.from({ length: 500_000 }, (_, i) => Math.sin(i))
    const { digest } = await writeSafetensors(path, [['w', { shape: [500, 1000], data }]])
    const uri = 's3://corpus/run/step-1.safetensors'
    await (await storeFor(uri)).put(uri, path)
    const read = await readSafetensors(uri)
    expect(read.digest).toBe(digest)
    expect(read.tensors.get('w')).toEqual({ shape: [500, 1000], data })
  })

  test('objects under a prefix are ingested as the files of a folder are, again only what is new', async () => {
    const files = { 'a.jsonl': rows(50), 'b/part.jsonl': rows(20) }
    for (const [name, content] of Object.entries(files)) await put(`set/${name}`, content)
    const [local, stored] = [new MemoryKafka(), new MemoryKafka()]
    const of = await run(local, [folder(files)])
    expect(await run(stored, ['s3://corpus/set'])).toEqual(of)
    expect(stored.documents).toEqual(local.documents)
    await put('set/a.jsonl', `${rows(50)}${row('appended')}`)
    expect(await run(stored, ['s3://corpus/set'])).toMatchObject({ documents: 1, skipped: 1 })
  })

  test('what is missing is an error before anything starts, without a word of the secret', async () => {
    for (const uri of ['s3://corpus/none.jsonl', 's3://corpus/none/', 's3://nobucket/a']) {
      const error = (await checkPaths([uri]).catch((thrown: unknown) => thrown)) as Error & { code: string }
      expect(error.code).toBe('CONFIGURATION')
      expect(error.message).toContain(uri)
      expect(JSON.stringify([error.message, error.stack, error.cause])).not.toContain(secret)
    }
  })

  test('a secret that the server does not know is refused by name, without a word of it', async () => {
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'another-secret-of-this-test')
    const store = await createS3Store()
    const list = async () => {
      for await (const _ of store.list('s3://corpus/set/')) break
    }
    for (const refused of [list(), store.put('s3://corpus/refused', join(folder({ a: 'a' }), 'a'))]) {
      const error = (await refused.catch((thrown: unknown) => thrown)) as Error & { code: string; hint: string }
      expect(error.code, error.message).toBe('CONFIGURATION')
      expect(JSON.stringify([error.message, error.hint, error.stack, error.cause])).not.toContain('another-secret')
    }
  })
}
