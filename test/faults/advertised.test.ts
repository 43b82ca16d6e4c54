import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { whatHangs } from '../../services/connections/answering.ts'
import { connect, newTopic } from '../support/kafka.ts'
import { brokersCanBeStarted, startBrokers, type TestBrokers } from './brokers.ts'

describe.skipIf(!brokersCanBeStarted)('a broker that sends its clients to an address that they cannot reach', () => {
  let brokers: TestBrokers
  beforeAll(async () => {
    brokers = await startBrokers(1)
  })
  afterAll(() => brokers?.close())

  test('is named with that address, by every command and by each question', { timeout: 60_000 }, async () => {
    const [{ port, proxy }] = brokers.brokers as [TestBrokers['brokers'][number]]
    const named = [`127.0.0.1:${port}`]
    const nobody = 'http://127.0.0.1:9'
    const probe = async () =>
      (await whatHangs({ brokers: named, registryUrl: nobody, clickhouseUrl: 'chdb:' })).map(({ message }) => message)
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
