import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, test } from 'vitest'
import { asDocumentId, Document, topics } from '../../schemas/index.ts'
import { createCodec } from '../../services/runtime/codec.ts'
import { createKafka } from '../../services/runtime/kafka/kafkajs.ts'
import { createLog } from '../../services/runtime/log.ts'
import { readAll } from '../support/kafka.ts'
import { brokersCanBeStarted, startBrokers } from './brokers.ts'
import type { IngestChildOptions } from './ingest-child.ts'
import type { OnTestFinished } from './play.ts'
import { Service } from './service.ts'
import type { StationChildOptions } from './stations.ts'
import { renewCorpusTopics } from './topics.ts'
import { openWorld, type World } from './world.ts'

const mebibyte = 1024 * 1024

const mount = (...args: string[]) => execFileSync('mount', ['-t', 'tmpfs', ...args], { stdio: 'ignore' })

/** Whether this user may mount a file system of a size of its own choice. */
const mayMount = ((): boolean => {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-mount-'))
  try {
    mount('-o', 'size=1m', 'tmpfs', folder)
    execFileSync('umount', [folder])
    return true
  } catch {
    return false
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})()

/** A disk of so many MiB, and how to make it larger. */
function smallDisk(sizeMib: number, onTestFinished: OnTestFinished) {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-disk-'))
  mount('-o', `size=${sizeMib}m`, 'tmpfs', folder)
  onTestFinished(async () => {
    execFileSync('umount', ['--lazy', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  return { folder, enlarge: (mib: number) => mount('-o', `remount,size=${mib}m`, 'tmpfs', folder) }
}

/** Text that no compression makes smaller than three quarters. */
const noise = (bytes: number) => randomBytes((bytes / 4) * 3).toString('base64')

const world: World = await openWorld()
afterAll(() => world.close())

test.skipIf(!mayMount || !brokersCanBeStarted)(
  'a broker with a full disk ends the ingest with exit code 4; once there is room, every row arrives exactly once (skipped where tmpfs may not be mounted)',
  async ({ onTestFinished }) => {
    const { folder, enlarge } = smallDisk(40, onTestFinished)
    const brokers = await startBrokers(1, folder)
    onTestFinished(() => brokers.close())
    const kafka = createKafka({ brokers: brokers.addresses, clientId: 'test', log: createLog('test', 'fatal') })
    onTestFinished(() => kafka.close())
    const sources = [topics.documents, topics.sources, topics.deadLetters]
    await kafka.createTopics(sources.map((topic) => ({ ...topic, partitions: topic === topics.documents ? 2 : 1 })))
    const files = mkdtempSync(join(tmpdir(), 'winnow-rows-'))
    onTestFinished(async () => rmSync(files, { recursive: true }))
    const rows = 120
    const lines = Array.from({ length: rows }, (_, row) => JSON.stringify({ text: `${row} ${noise(mebibyte / 2)}` }))
    writeFileSync(join(files, 'a.jsonl'), `${lines.join('\n')}\n`)
    const ingest = () => {
      const addresses = { ...world.addresses, brokers: brokers.addresses }
      const options: IngestChildOptions = { addresses, paths: [files], prefix: 'full' }
      const service = new Service('ingest', 'ingest-child.ts', options)
      onTestFinished(() => service.kill())
      return service
    }
    const first = ingest()
    expect(await first.exited()).toBe(4)
    expect(first.errors).toMatch(/winnow: UNREACHABLE: Could not .* no answer from Kafka/)

    enlarge(400)
    await brokers.brokers[0]!.kill().catch(() => {})
    await brokers.brokers[0]!.start()
    const second = ingest()
    await second.said('done', 90_000)
    const codec = await createCodec({ registry: inject('registryUrl'), records: [Document] })
    const texts = async () => {
      const records = await readAll(kafka, topics.documents.name)
      return await Promise.all(records.map(async ({ value }) => (await codec.decodeAs(Document, value!)).text))
    }
    await expect.poll(async () => (await texts()).length, { timeout: 10_000 }).toBe(rows)
    expect(new Set((await texts()).map((text) => Number(text.split(' ')[0]))).size).toBe(rows)
  },
)

test.skipIf(!mayMount)(
  'an embedded ClickHouse with a full disk ends the sink with exit code 4; once there is room, every document is stored exactly once (skipped where tmpfs may not be mounted)',
  async ({ onTestFinished }) => {
    await renewCorpusTopics(world)
    const { kafka, codec } = world.runtime
    const { folder, enlarge } = smallDisk(24, onTestFinished)
    mkdirSync(join(folder, 'clickhouse'))
    const documents = 60
    const producer = await kafka.producer()
    for (let n = 0; n < documents; n++) {
      const value = codec.encode(Document, {
        docId: asDocumentId(BigInt(n)),
        text: noise(mebibyte / 2),
        tokens: 1,
        meta: '{}',
      })
      await producer.send([{ topic: topics.documents.name, key: `${n}`, value }])
    }
    await producer.close()
    const { brokers, registryUrl } = world.addresses
    const addresses = { brokers, registryUrl, clickhouseUrl: `chdb:${join(folder, 'clickhouse')}` }
    const sink = () => {
      const options: StationChildOptions = { station: 'label sink', addresses, group: 'full-disk' }
      const service = new Service('label sink', 'station-child.ts', options)
      onTestFinished(() => service.kill())
      return service
    }
    const first = sink()
    expect(await first.exited()).toBe(4)
    expect(first.errors).toMatch(/winnow: STORAGE_FULL: ClickHouse has no room left/)

    enlarge(400)
    await world.evict('full-disk.label-sink')
    const second = sink()
    await second.said('ready')
    const ends = await kafka.endOffsets(topics.documents.name)
    const behind = async () => {
      const committed = await kafka.committedOffsets('full-disk.label-sink', topics.documents.name)
      return ends.filter((end, partition) => end > (committed[partition] ?? 0))
    }
    await expect.poll(behind, { timeout: 60_000, interval: 200 }).toEqual([])
    await second.stop()
    const { createClickHouse } = await import('../../services/runtime/clickhouse/client.ts')
    const clickHouse = await createClickHouse({ url: addresses.clickhouseUrl })
    const [row] = await clickHouse.sql.query(
      'SELECT count() AS rows, uniqExact(doc) AS documents, (SELECT count() FROM documents FINAL) AS texts FROM corpus FINAL',
    )
    await clickHouse.close()
    expect(row).toEqual({ rows: `${documents}`, documents: `${documents}`, texts: `${documents}` })
  },
)
