import { generateKeyPairSync } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Document, labelsTopic, runTopics, topics } from '../../../schemas/index.ts'
import { readContainer } from '../../../services/archive/container.ts'
import { exportRun } from '../../../services/archive/export.ts'
import { type ArchiveManifest, rootOfArchive } from '../../../services/archive/format.ts'
import { verifyArchive } from '../../../services/archive/manifest.ts'
import type { Config } from '../../../services/config/config.ts'
import type { IncomingRecord } from '../../../services/runtime/kafka/port.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { cliOn } from '../../support/cli.ts'
import type { MemoryRuntime } from '../../support/memory-runtime.ts'
import { recordedRun } from './world.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-archive-test-'))
const archive = join(folder, 'archive')
let runtime: MemoryRuntime
let run: RunConfig
let manifest: ArchiveManifest

beforeAll(async () => {
  ;({ runtime, run } = await recordedRun())
  manifest = await exportRun({ runtime, run, folder: archive })
})
afterAll(() => rmSync(folder, { recursive: true }))

const archived = async (topic: string, from = archive) => {
  const records = []
  for (const { path } of manifest.files.filter((file) => file.topic === topic))
    for await (const block of readContainer(join(from, path))) records.push(...block.records)
  return records
}
const winnow = (...args: string[]) => cliOn(runtime, undefined as unknown as Config, folder)(...args)
const plain = ({ offset, key, value }: Pick<IncomingRecord, 'offset' | 'key' | 'value'>) => ({ offset, key, value })
/** A copy that a test may spoil. */
const copy = (name: string): string => {
  cpSync(archive, join(folder, name), { recursive: true })
  return join(folder, name)
}

describe('an archive', () => {
  test("has every record of a run's topics under its offset, byte by byte, and what its rounds saw of the corpus", async () => {
    for (const name of ['consoleState', 'rewards', 'selections', 'progress', 'actorState'] as const) {
      const topic = runTopics(run.name)[name].name
      expect((await archived(topic)).map(plain), name).toEqual(runtime.kafka.records(topic).map(plain))
    }
    expect(await archived(labelsTopic('parity').name)).toHaveLength(40)
    expect((await archived(topics.runs.name)).map(({ key }) => `${key}`)).toEqual(['original'])
  })

  test('has no text of a document, and no request for a reward, unless it was asked for', async () => {
    const documents = await archived(topics.documents.name)
    const first = await runtime.codec.decodeAs(Document, documents[0]!.value!)
    expect([documents.length, first.text, first.tokens]).toEqual([40, '', 10])
    expect(manifest.topics.map(({ name }) => name)).not.toContain(runTopics(run.name).rewardRequests.name)
    const whole = await exportRun({ runtime, run, folder: join(folder, 'texts'), texts: true })
    const { path } = whole.files.find(({ topic }) => topic === topics.documents.name)!
    for await (const { records } of readContainer(join(folder, 'texts', path)))
      expect(records.map(plain)).toEqual(runtime.kafka.records(topics.documents.name).map(plain))
    expect(whole.topics.map(({ name }) => name)).toContain(runTopics(run.name).rewardRequests.name)
  })

  test('is the same to the byte if it is exported again, whole or after a kill between any two files', async () => {
    const small = { runtime, run, segmentBytes: 1 }
    const once = await exportRun({ ...small, folder: join(folder, 'once') })
    expect(once.files.length).toBeGreaterThanOrEqual(manifest.topics.length - 1)
    const stop = new AbortController()
    const killed = join(folder, 'killed')
    const onProgress = (done: number) => done > 60 && stop.abort()
    await expect(exportRun({ ...small, folder: killed, signal: stop.signal, onProgress })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
    await expect(verifyArchive(killed)).rejects.toMatchObject({ code: 'BAD_DATA', exitCode: 5 })
    writeFileSync(join(killed, 'topics', topics.documents.name, '0', 'unfinished'), 'half a block')
    expect(await exportRun({ ...small, folder: killed })).toEqual(once)
    expect(await verifyArchive(killed, once.root)).toEqual(once)
  })

  test('is left alone if it is there already; of another run, or with texts, it is refused', async () => {
    expect(await exportRun({ runtime, run, folder: archive })).toEqual(manifest)
    await expect(exportRun({ runtime, run, folder: archive, texts: true })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('archive of run original without texts'),
    })
  })
})

const spoils = [
  ['truncated', (path: string) => truncateSync(path, 10), 'it has 10 bytes, not'],
  ['removed', (path: string) => rmSync(path), 'it is missing'],
  ['added', (path: string) => writeFileSync(`${path}.more`, ''), 'the manifest does not name it'],
] as const

describe('verifying', () => {
  test('holds for what was exported, with its root', async () => {
    expect(await verifyArchive(archive, manifest.root)).toEqual(manifest)
  })

  test.each([0, 1, 2])(
    'names file %i of it if one byte of that is another, the first if it is of several',
    async (at) => {
      const spoilt = copy(`byte-${at}`)
      for (const { path } of manifest.files.slice(at)) {
        const bytes = readFileSync(join(spoilt, path))
        bytes[bytes.length - 20]! ^= 1
        writeFileSync(join(spoilt, path), bytes)
      }
      await expect(verifyArchive(spoilt)).rejects.toMatchObject({
        ...{ code: 'GUARANTEE_VIOLATED', exitCode: 6 },
        message: `${join(spoilt, manifest.files[at]!.path)} is not what was exported: it has other bytes`,
      })
    },
  )

  test.each(spoils)('names a file that was %s', async (name, spoil, why) => {
    const spoilt = copy(name)
    spoil(join(spoilt, manifest.files[1]!.path))
    const error = await verifyArchive(spoilt).catch((one) => one)
    expect(error).toMatchObject({ code: 'GUARANTEE_VIOLATED' })
    expect(error.message).toContain(manifest.files[1]!.path)
    expect(error.message).toContain(why)
  })

  test('is signed by its manifest, which stands for every byte, and is one with its signature beside it', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const [key, open] = [join(folder, 'key.pem'), join(folder, 'public.pem')]
    writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    writeFileSync(open, publicKey.export({ type: 'spki', format: 'pem' }))
    const out = join(folder, 'signed')
    for (const _ of ['first', 'again'])
      expect(await winnow('export', run.name, '--out', out, '--key', key)).toMatchObject({
        ...{ code: 0, stdout: expect.stringContaining(`root ${manifest.root}`) },
      })
    expect(readdirSync(out).sort()).toEqual(['manifest.json', 'manifest.json.sig', 'topics'])
    expect(await winnow('verify', out, '--root', manifest.root)).toMatchObject({ code: 0 })
    const verified = () => winnow('verify', join(out, 'manifest.json'), '--key', open)
    expect(await verified()).toMatchObject({ code: 0, stdout: expect.stringContaining('signed by the key') })
    writeFileSync(join(out, 'manifest.json'), JSON.stringify({ ...manifest, run: 'other' }))
    expect(await verified()).toMatchObject({ code: 6 })
  })

  test('names the manifest if that was changed, consistently only against the root that was published', async () => {
    const spoilt = copy('manifest')
    const write = (changed: object) => writeFileSync(join(spoilt, 'manifest.json'), JSON.stringify(changed))
    write({ ...manifest, run: 'other' })
    await expect(verifyArchive(spoilt)).rejects.toMatchObject({ message: expect.stringContaining('its root is not') })
    const forged = { ...manifest, run: 'other' }
    write({ ...forged, root: rootOfArchive(forged) })
    expect(await verifyArchive(spoilt)).toMatchObject({ run: 'other' })
    await expect(verifyArchive(spoilt, manifest.root)).rejects.toMatchObject({
      code: 'GUARANTEE_VIOLATED',
      message: expect.stringContaining(`not ${manifest.root}`),
    })
  })

  test('refuses an archive of a later format by name, and a folder that is none', async () => {
    const later = copy('later')
    writeFileSync(join(later, 'manifest.json'), JSON.stringify({ ...manifest, version: 2, winnow: '9.0.0', more: 1 }))
    await expect(verifyArchive(later)).rejects.toMatchObject({
      ...{ code: 'CONFIGURATION', exitCode: 3 },
      message: expect.stringContaining('format 2, written by winnow 9.0.0'),
    })
    await expect(verifyArchive(folder)).rejects.toMatchObject({ code: 'BAD_DATA' })
    expect(readdirSync(archive).sort()).toEqual(['manifest.json', 'topics'])
  })
})
