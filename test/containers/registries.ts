import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Child, startChild } from '../../deploy/dev/child.ts'
import { choosePorts } from '../../deploy/dev/ports.ts'
import { checkRegistry } from '../../deploy/doctor/stores.ts'
import { allRecords, Document } from '../../schemas/index.ts'
import { httpAddress, withoutLogin } from '../../services/runtime/address.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { createCodec, DecodeError } from '../../services/runtime/codec.ts'
import { brokersCanBeStarted, startBrokers, type TestBrokers } from '../faults/brokers.ts'
import { connect, until } from '../support/kafka.ts'
import { document, labelled, setUpLabeler, startLabeler } from '../support/label-station.ts'
import { registryContract, twoVersions } from '../support/registry-contract.ts'

/** Where a registry runs, and who may do everything in it. */
export interface Place {
  readonly folder: string
  readonly port: number
  readonly broker: string
  readonly username: string
  readonly password: string
}

/** A registry other than that of `winnow dev`, which asks for a login (CONTRIBUTING.md). */
export interface RegistryProgram {
  readonly name: string
  /** Why it cannot be started here; undefined: it can. */
  readonly missing: string | undefined
  /** What `winnow doctor` calls it. */
  readonly product: string
  /** Writes what it needs into its folder. @returns its command */
  readonly start: (at: Place) => { command: readonly string[]; env: Record<string, string> }
}

/** A registry that runs. */
export interface Running {
  readonly url: string
  /** A request with the login, as an operator makes it. */
  ask(path: string, method: string, body?: object): Promise<Response>
  stop(): Promise<void>
  start(): void
  /** Resolves when it takes what it has to write. */
  ready(): Promise<void>
}

const password = 'a-secret-of-this-test'

/** What winnow needs of it, as in `test/integration/kafka-registry.test.ts`, and what a restart of it does. @param own tests of this one alone */
export function registryOf(program: RegistryProgram, own: (registry: () => Running) => void = () => {}): void {
  const missing = program.missing ?? (brokersCanBeStarted ? undefined : 'no Java for a broker')
  const because = missing === undefined ? '' : ` (skipped: ${missing})`
  describe.skipIf(missing !== undefined)(`with ${program.name}${because}`, () => withRegistry(program, own))
}

function withRegistry(program: RegistryProgram, own: (registry: () => Running) => void) {
  let folder: string
  let brokers: TestBrokers
  let registry: Running
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'winnow-registry-'))
    brokers = await startBrokers(1)
    registry = await runningOf(program, folder, brokers.addresses[0]!)
    registry.start()
    await registry.ready()
  }, 300_000)
  afterAll(async () => {
    await registry?.stop()
    await brokers?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  registryContract(() => registry.url)

  test('winnow doctor names it, and has nothing to say against it', async () => {
    await createCodec({ registry: registry.url, records: allRecords })
    const found = await checkRegistry(registry.url, undefined, systemClock)
    expect(found).toMatchObject([
      {
        state: 'ok',
        found: expect.stringMatching(`^${program.product} \\d.*${allRecords.length} of ${allRecords.length}`),
      },
    ])
  })

  own(() => registry)

  test('a login that the registry refuses is told as that, without the password', async () => {
    const wrong = registry.url.replace(password, 'another-secret')
    const refused = createCodec({ registry: wrong, records: [Document] })
    const error = (await refused.catch((thrown: unknown) => thrown)) as Error & { code: string; hint: string }
    expect(error).toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining('answered 401') })
    expect(JSON.stringify([error.message, error.hint, error.stack])).not.toContain('another-secret')
  })

  test('documents are labelled while the registry is away, and an id that it has still to read is waited for', async () => {
    const kafka = connect(brokers.addresses)
    const codec = await createCodec({ registry: registry.url, records: allRecords })
    const { actor, input } = await setUpLabeler(kafka)
    const producer = await kafka.producer()
    const send = (id: bigint) =>
      producer.send([{ topic: input, key: `${id}`, value: codec.encode(Document, document(id)) }])
    const station = await startLabeler(kafka, codec, actor, input)
    const { name, before, after } = twoVersions()
    const written = (await createCodec({ registry: registry.url, records: [before] })).encode(before, { id: 7n })
    const open = () => createCodec({ registry: registry.url, records: [after] })
    const readers = [await open(), await open(), await open(), await open()]

    await send(1n)
    await until(async () => (await labelled(kafka, codec, actor)).length === 1)
    await registry.stop()
    await send(2n)
    await until(async () => (await labelled(kafka, codec, actor)).length === 2)
    await expect(readers[0]!.decode(written)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await expect(open()).rejects.toMatchObject({ code: 'UNREACHABLE' })

    registry.start()
    // A DecodeError would be a dead letter. Others end: just after its start Confluent's may refuse a right login, too.
    const found = readers.map(async (reader) => {
      for (;;) {
        try {
          return await reader.decode(written)
        } catch (error) {
          if (error instanceof DecodeError) throw error
          await sleep(5)
        }
      }
    })
    const value = { record: name, value: { id: 7n, note: 'none' } }
    expect(await Promise.all(found)).toEqual(readers.map(() => value))
    await registry.ready()
    const again = await createCodec({ registry: registry.url, records: allRecords })
    expect(again.encode(Document, document(1n))).toEqual(codec.encode(Document, document(1n)))
    await send(3n)
    await until(async () => (await labelled(kafka, again, actor)).length === 3)
    expect(await labelled(kafka, again, actor)).toEqual([1n, 2n, 3n])
    await producer.close()
    await station.close()
  })
}

const startMsMax = 240_000

async function runningOf(program: RegistryProgram, folder: string, broker: string): Promise<Running> {
  const { registry: port } = await choosePorts(join(folder, 'ports.json'), ['registry'])
  const { command, env } = program.start({ folder, port, broker, username: 'winnow', password })
  const url = `http://winnow:${password}@127.0.0.1:${port}`
  const { headers } = httpAddress(url)
  const log = join(folder, 'log.txt')
  let child: Child | undefined
  const ask = (path: string, method: string, body?: object) =>
    fetch(`${withoutLogin(url)}${path}`, {
      method,
      headers: { ...headers, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    })
  return {
    url,
    ask,
    start: () => {
      child = startChild(program.name, command, log, folder, { ...process.env, ...env })
    },
    stop: async () => void (await child?.stop()),
    ready: async () => {
      const late = AbortSignal.timeout(startMsMax)
      const takes = () => ask('/config', 'PUT', { compatibility: 'BACKWARD' }).catch(() => undefined)
      while (!(await takes())?.ok) {
        if (child?.hasEnded() || late.aborted) throw new Error(`${program.name} did not start: see ${log}`)
        await sleep(100)
      }
    },
  }
}
