import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { choosePorts } from '../../deploy/dev/ports.ts'
import { checkPaths } from '../../services/ingest/paths.ts'
import { readSafetensors, writeSafetensors } from '../../services/model/safetensors.ts'
import { openBytes } from '../../services/runtime/stores/bytes.ts'
import { storeFor } from '../../services/runtime/stores/open-store.ts'
import { createS3Store } from '../../services/runtime/stores/s3.ts'
import { saveCheckpoint } from '../../services/trainer/checkpoints.ts'
import { MemoryKafka } from '../services/ingest/memory-kafka.ts'
import { expectSameWhenKilled, folder, row, rows, run } from '../services/ingest/support.ts'
import { pythonStores } from '../services/runtime/stores/python-stores.ts'
import { bytesOf, sha256, startCutter, storesPython } from '../support/stores.ts'
import { rewardsOfRun } from './stored-run.ts'

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

/** What an object has. */
async function digestOf(uri: string): Promise<string> {
  const file = await openBytes(uri)
  return sha256(await file.at(0, file.byteLength))
}

/** Uploads in parts of a key that are neither whole nor given up; MinIO lists them by their whole key alone. */
async function uploads(Prefix: string): Promise<string[]> {
  const client = new S3Client({ forcePathStyle: true })
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: 'corpus', Prefix }))
  client.destroy()
  return Uploads.map(({ Key }) => Key!)
}

/** The tests of a server; a process has one client of S3, so that each server has a file of its own. */
export function storesIn(server: Server): void {
  const missing = isMissing(server)
  const because = missing ? ` (skipped: no ${server.name} on the PATH)` : ''
  describe.skipIf(missing)(`in ${server.name}${because}`, () => inServer(server))
}

/** Ends a server as a crash does. */
async function kill(server: ChildProcess): Promise<void> {
  const ended = once(server, 'exit')
  server.kill('SIGKILL')
  await ended
}

function inServer({ name, start, health }: Server) {
  let state: string
  let cutter: Awaited<ReturnType<typeof startCutter>>
  let server: ChildProcess
  let serve: () => Promise<void>

  beforeAll(async () => {
    state = mkdtempSync(join(tmpdir(), `winnow-${name}-`))
    const { s3: port } = await choosePorts(join(state, 'ports.json'), ['s3'])
    // A bucket is a folder of it.
    const data = join(state, 'data')
    mkdirSync(join(data, 'corpus'), { recursive: true })
    const { args, login } = start(data, port!)
    serve = async () => {
      server = spawn(name, args, { env: { PATH: process.env.PATH, HOME: state, ...login }, stdio: 'ignore' })
      const late = AbortSignal.timeout(30_000)
      while (!(await fetch(`http://127.0.0.1:${port}${health}`).catch(() => undefined))?.ok) {
        if (late.aborted) throw new Error(`${name} does not answer`)
        await sleep(100)
      }
    }
    await serve()
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

  test('an object is stored, and read on where its connection breaks', async () => {
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

  test('a server that ends is waited for: by who reads, by who opens and by who stores, also in the middle of the parts', async () => {
    // Of two parts.
    const content = randomBytes(80 * 1024 * 1024)
    const path = join(folder({ content }), 'content')
    const uri = await put('restarted', content)
    const file = await openBytes(uri)
    const parts: Buffer[] = []
    let served: Promise<void> | undefined
    for await (const chunk of file.stream(0, content.length)) {
      parts.push(Buffer.from(chunk))
      if (served !== undefined) continue
      await kill(server)
      served = sleep(1000).then(serve)
    }
    await served
    expect(sha256(Buffer.concat(parts))).toBe(sha256(content))

    await kill(server)
    const [opening, storing] = [
      openBytes(uri),
      saveCheckpoint('s3://corpus/away', async (to) => copyFileSync(path, to)),
    ]
    await sleep(1500)
    await serve()
    expect((await opening).version).toBe(file.version)
    await storing
    expect(await digestOf('s3://corpus/away')).toBe(sha256(content))

    const begun = saveCheckpoint('s3://corpus/begun', async (to) => copyFileSync(path, to))
    while (!(await uploads('begun')).includes('begun')) await sleep(5)
    await kill(server)
    await serve()
    await begun
    expect(await uploads('begun')).toEqual([])
    expect(await digestOf('s3://corpus/begun')).toBe(sha256(content))
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

  test('an ingest that is killed goes on at the row after the last one', async () => {
    await put('kill/a.jsonl', rows(100))
    await put('kill/b.jsonl', rows(100))
    const kills = { transaction: 2, committed: false }
    const { documents } = await expectSameWhenKilled('s3://corpus/kill', kills, { limits: { rowsMax: 40 } })
    expect(documents.length).toBe(200)
  })

  test('rewards are computed with the checkpoints that the trainer of a run stores, the same as with files', async () => {
    const stored = await rewardsOfRun('s3://corpus/checkpoints')
    expect(stored.rewards.length).toBeGreaterThan(0)
    expect(stored.rewards).toEqual((await rewardsOfRun(join(state, 'checkpoints'))).rewards)
    expect(stored.places).toEqual([2, 4, 6].map((step) => `s3://corpus/checkpoints/r/step-0000000${step}.safetensors`))
  })

  const found = storesPython(process.env)
  const lacking = 'missing' in found ? ` (skipped: ${found.missing})` : ''
  test.skipIf(lacking !== '')(
    `what Python stores is read, and what it may not store is refused${lacking}`,
    async () => {
      const call = pythonStores((found as { python: string }).python)
      const content = randomBytes(20_000_000)
      const path = join(folder({ content }), 'content')
      await call('upload(sys.argv[1], sys.argv[2])', path, 's3://corpus/python')
      expect(await digestOf('s3://corpus/python')).toBe(sha256(content))
      const told = `
from winnow_wire.errors import WinnowError
try:
    upload(sys.argv[1], sys.argv[2])
except WinnowError as error:
    print(error.code, error)`
      expect(await call(told, path, 's3://nobucket/python')).toMatch(/^CONFIGURATION .*no s3:..nobucket/)
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'another-secret-of-this-test')
      const refused = await call(told, path, 's3://corpus/refused')
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', secret)
      expect(refused).toMatch(/^CONFIGURATION .*is refused/)
      expect(refused).not.toContain('another-secret')
    },
  )

  test('what is missing is an error before anything starts, without a word of the secret', async () => {
    for (const uri of ['s3://corpus/none.jsonl', 's3://corpus/none/', 's3://nobucket/a']) {
      const error = (await checkPaths([uri]).catch((thrown: unknown) => thrown)) as Error & { code: string }
      expect(error.code).toBe('CONFIGURATION')
      expect(error.message).toContain(uri)
      expect(JSON.stringify([error.message, error.stack, error.cause])).not.toContain(secret)
    }
    const saved = saveCheckpoint('s3://nobucket/a', async (path) => writeFileSync(path, ''))
    await expect(saved).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('there is no s3://nobucket/a'),
    })
  })

  test('a secret that the server does not know is refused by name, without a word of it', async () => {
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'another-secret-of-this-test')
    const store = await createS3Store()
    const list = async () => {
      for await (const _ of store.list('s3://corpus/set/')) break
    }
    const open = () => store.open('s3://corpus/changing.jsonl')
    const storing = () => store.put('s3://corpus/refused', join(folder({ a: 'a' }), 'a'))
    for (const refused of [list, open, storing]) {
      const error = (await refused().catch((thrown: unknown) => thrown)) as Error & { code: string; hint: string }
      expect(error.code, error.message).toBe('CONFIGURATION')
      expect(JSON.stringify([error.message, error.hint, error.stack, error.cause])).not.toContain('another-secret')
    }
  })
}
