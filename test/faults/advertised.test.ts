import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { whatHangs } from '../../services/connections/answering.ts'
import { connect, newTopic } from '../support/kafka.ts'
import { brokersCanBeStarted, startBrokers, type TestBrokers } from './brokers.ts'

describe.skipIf(!brokersCanBeStarted)('a broker that sends its clients to an address that they cannot reach', () => {
  let brokers: TestBrokers
  beforeAll(async () => {
    brokers = await startBrokers(1)
  })
  afterAll(() => brokers?.close())

  test('is named with that address by every command and every request', { timeout: 60_000 }, async () => {
    const [{ port, proxy }] = brokers.brokers as [TestBrokers['brokers'][number]]
    const named = [`127.0.0.1:${port}`]
    // Were it away, nobody would wait for the slow answer.
    const registry = createServer((_request, response) => response.end('[]')).listen(0, '127.0.0.1')
    onTestFinished(() => void registry.close())
    await once(registry, 'listening')
    const registryUrl = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`
    const probe = async () =>
      (await whatHangs({ brokers: named, registryUrl, clickhouseUrl: 'chdb:' })).map(({ message }) => message)
    const topic = await newTopic(connect(brokers.addresses))
    proxy.cut()
    await expect(connect(named).endOffsets(topic)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining(
        `Kafka at ${named} sends clients to 127.0.0.1:${proxy.port}, which does not answer`,
      ),
      hint: expect.stringContaining('advertised.listeners'),
    })
    proxy.heal()
    proxy.hold({ toServer: true, toClient: true })
    expect(await probe()).toContain(`Kafka at ${named} answers, and a broker that it sends clients to does not`)
    proxy.heal({ lost: true })
    expect((await probe()).filter((message) => message.includes('Kafka'))).toEqual([])
  })
})
